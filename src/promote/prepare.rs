//! Gathers what a plan is made from: files, the database, the other environments. Reads only.

use std::{borrow::Cow, collections::BTreeSet, time::Duration};

use data_encoding::HEXLOWER;
use futures_util::future::join_all;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    approval::{
        self, Seen,
        look::{self, Approving},
    },
    emergency::Emergency,
    neon,
    plan::{Plan, Request},
    survey::{self, OtherEnvironment, Staged, Survey},
};
use crate::{
    catalog::Release,
    config::{Approvals, Config, Environment, ProfileName, PromotionType, RuleLevels},
    lint::{self, rules},
    migration::{self, Migration},
    report::Validation,
    services::postgres::{self, Access, Address, Options, PostgresError, Session},
    sql::{Change, Statement, change::ObjectKind, names::ObjectName},
};

/// What is asked.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The new promotion's id, version 7.
    pub run: Uuid,
    /// The time now.
    pub now: Timestamp,
    pub config: &'a Config,
    pub environment: &'a Environment,
    /// A webhook is configured.
    pub webhook: bool,
    pub promotion_type: PromotionType,
    pub actor: &'a str,
    pub files: &'a [Migration],
    /// The commit that the files are of, where CI says so.
    pub commit: Option<&'a str>,
    /// Why checks are waived.
    pub emergency: Option<&'a Emergency>,
    /// Where approvals are looked for.
    pub approving: &'a Approving,
}

/// What was seen in the other environments.
#[derive(Debug, Clone, PartialEq)]
pub struct Elsewhere {
    pub staged: Option<Staged>,
    pub others: Vec<OtherEnvironment>,
}

/// Everything that a plan is made from.
#[derive(Clone)]
pub struct Prepared<'a> {
    question: Question<'a>,
    rules: String,
    pub survey: Survey,
    elsewhere: &'a Elsewhere,
    validation: Validation,
    resumes: Option<Plan>,
    demand: Option<Approvals>,
    approval: Option<Seen>,
}

impl Prepared<'_> {
    pub fn request(&self) -> Request<'_> {
        let question = &self.question;
        // What its variables lack is told before: `Config::promotion` demands them.
        let sync = question.config.sync().ok().flatten();
        let is_source = |it: &&crate::config::Sync| question.config.full_name(&it.from) == question.environment.name;
        Request {
            run: question.run,
            now: question.now,
            environment: question.environment,
            promotion_type: self.promotion_type(),
            actor: question.actor,
            tool_version: env!("CARGO_PKG_VERSION"),
            rules: &self.rules,
            files: question.files,
            commit: question.commit,
            validation: &self.validation,
            survey: &self.survey,
            staged: self.elsewhere.staged.as_ref(),
            others: &self.elsewhere.others,
            webhook: question.webhook,
            sync: sync.filter(is_source).map(|it| it.tables.as_slice()),
            resumes: self.resumes.as_ref(),
            emergency: self.emergency(),
            demand: self.demand.as_ref(),
            approval: self.approval.as_ref(),
            purpose: question.approving.purpose,
        }
    }

    /// A promotion that goes on keeps its type.
    fn promotion_type(&self) -> PromotionType {
        let planned = self.resumes.as_ref().and_then(|plan| PromotionType::named(&plan.promotion_type));
        planned.unwrap_or(self.question.promotion_type)
    }

    /// And what it was begun for.
    fn emergency(&self) -> Option<&Emergency> {
        match &self.resumes {
            Some(plan) => plan.emergency.as_ref(),
            None => self.question.emergency,
        }
    }
}

/// Looks at the database of `session` and judges what is pending there.
pub async fn prepare<'a>(
    question: Question<'a>,
    elsewhere: &'a Elsewhere,
    session: &Session,
) -> Result<Prepared<'a>, PostgresError> {
    let records = survey::records(session).await?;
    let resumes = records.unfinished().and_then(|it| it.plan.clone());
    let pending = migration::pending(question.files, &records.applied());
    let planned = |id: &str| resumes.as_ref().is_none_or(|plan| plan.migrations.iter().any(|it| it.id == id));
    let is_judged = |it: &&Migration| pending.to_apply.contains(&it.id) && planned(&it.id.0);
    let judged: Vec<&Migration> = question.files.iter().filter(is_judged).collect();
    let ids: BTreeSet<&str> = judged.iter().map(|it| it.id.0.as_str()).collect();
    let sight = neon::look(question.environment, session.address(), question.now).await;
    let (neon, by_neon) = sight.map(|it| (it.identity, it.restore_point)).unzip();
    let restore_point = match by_neon {
        Some(by_neon) => by_neon,
        None => survey::restore_point(session).await?,
    };
    let survey = Survey {
        identity: session.identity().await?,
        records,
        lock_holders: survey::lock_holders(session).await?,
        privileges: survey::privileges(session, &altered(&judged)).await?,
        restore_point,
        neon,
        long_transactions: survey::long_transactions(session).await?,
    };
    let demand = approval::demanded(question.environment, question.approving.job.as_ref());
    let approval = match &demand {
        Some(demand) if !judged.is_empty() => {
            Some(look::look(question.approving, demand, &judged, &question.config.root).await)
        }
        Some(_) | None => None,
    };
    let mut prepared = Prepared {
        question,
        rules: rules_digest(question.environment.profile, &question.config.rules),
        survey,
        elsewhere,
        validation: Validation::default(),
        resumes,
        demand,
        approval,
    };
    let emergency = prepared.emergency().map(Emergency::shown);
    let request = lint::Request {
        postgres: question.config.postgres.unwrap_or_default(),
        promotion: Some(prepared.promotion_type()),
        emergency: emergency.as_deref(),
        config_tables: &question.config.config_tables,
        levels: &question.config.rules,
        ..lint::Request::of(question.environment.profile)
    };
    let release = |it: &Migration| if ids.contains(it.id.0.as_str()) { Release::Judged } else { Release::History };
    let in_order = question.files.iter().map(|it| (release(it), Cow::Borrowed(it)));
    prepared.validation = lint::lint_in_order(in_order, &request);
    Ok(prepared)
}

/// Digest of all rules with their texts, and of what is configured for this profile: another rule set may answer
/// otherwise.
fn rules_digest(profile: ProfileName, levels: &[RuleLevels]) -> String {
    let mut hasher = Sha256::new();
    for rule in rules::ALL {
        hasher.update(rule.name);
        hasher.update([0]);
        hasher.update(rule.source);
        hasher.update([0]);
        let level = levels.iter().find(|it| it.rule == rule.name).and_then(|it| it.levels.in_profile(profile));
        if let Some(level) = level {
            hasher.update(level.name());
            hasher.update([0]);
        }
    }
    format!("sha256:{}", HEXLOWER.encode(&hasher.finalize()))
}

/// Tables that only their owner may do this to.
fn altered<'a>(migrations: &[&'a Migration]) -> Vec<&'a ObjectName> {
    let statements = migrations.iter().flat_map(|it| &it.statements);
    statements.flat_map(altered_by).collect()
}

fn altered_by(statement: &Statement) -> Vec<&ObjectName> {
    match &statement.change {
        Change::AlterTable(alter) => vec![&alter.table],
        Change::CreateIndex(index) => vec![&index.table],
        Change::CreatePolicy { table, .. } => vec![table],
        Change::Drop(drop) if drop.kind == ObjectKind::Table => drop.names.iter().collect(),
        _ => Vec::new(),
    }
}

/// Looks at the other configured environments: which databases they are, and what is applied in the one of
/// `after:`. Whatever fails becomes part of the answer.
pub async fn elsewhere(config: &Config, environment: &Environment) -> Elsewhere {
    let others = config.environments.values().filter(|it| it.name != environment.name);
    let seen = join_all(others.map(|other| look_at(other, environment))).await;
    let staged = environment.after.as_deref().map(|name| {
        let name = config.full_name(name);
        let found = seen.iter().find(|it| it.0.name == name);
        let unset = || Err("the variables of its URL are not set".to_owned());
        let applied = found.map(|it| it.2.clone()).unwrap_or_default();
        Staged { environment: name.to_owned(), history: found.map_or_else(unset, |it| it.1.clone()), applied }
    });
    Elsewhere { staged, others: seen.into_iter().map(|it| it.0).collect() }
}

type Looked = (OtherEnvironment, Result<Vec<survey::HistoryRow>, String>, Vec<survey::AppliedEvent>);

async fn look_at(other: &Environment, environment: &Environment) -> Looked {
    let address = Address::parse(&other.database);
    let here = Address::parse(&environment.database);
    let same_address = match (&address, &here) {
        (Ok(there), Ok(here)) => there.hosts == here.hosts && there.database == here.database,
        _ => false,
    };
    let wants_history = environment.after.as_deref() == Some(&other.name);
    let looked = async {
        let options = Options {
            connect_timeout: Duration::from_secs(5),
            retry_for: Duration::from_secs(10),
            statement_timeout: Some(Duration::from_secs(30)),
            access: Access::ReadOnly,
            ..Options::default()
        };
        let session = postgres::connect(&address?, &options).await?;
        let identity = session.identity().await?;
        let (history, applied) = match wants_history {
            true => {
                let records = survey::records(&session).await?;
                let applied = survey::applied_events(&session, &records).await?;
                (records.history, applied)
            }
            false => (Vec::new(), Vec::new()),
        };
        session.close().await;
        Ok((identity, history, applied))
    };
    let (identity, history, applied) = match looked.await {
        Ok((identity, history, applied)) => (Ok(identity), Ok(history), applied),
        Err(error) => {
            let reason = reason(&error);
            (Err(reason.clone()), Err(reason), Vec::new())
        }
    };
    (OtherEnvironment { name: other.name.clone(), identity, same_address }, history, applied)
}

/// The error and its cause, in one line.
fn reason(error: &PostgresError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::rules_digest;
    use crate::config::{ProfileName, RuleLevels, parse};

    fn levels(rules: &str) -> Vec<RuleLevels> {
        let text = format!("migrations: m\nenvironments: {{}}\nrules: {{ {rules} }}\n");
        parse("liftlock.yml".into(), &text, &|_| None).unwrap().rules
    }

    #[test]
    fn levels_of_the_profile_belong_to_the_digest_of_the_rules() {
        let digest = |rules: &str| rules_digest(ProfileName::Production, &levels(rules));
        let plain = digest("");
        assert!(plain.starts_with("sha256:") && plain.len() == 71, "{plain}");
        for (rules, same) in [
            ("drop-table: { dev: off }", true),
            ("drop-table: { production: warning }", false),
            ("drop-table: warning", false),
            ("drop-column: warning", false),
        ] {
            assert_eq!(digest(rules) == plain, same, "{rules}");
        }
        assert_ne!(digest("drop-table: warning"), digest("drop-column: warning"));
        assert_ne!(digest("drop-table: warning"), digest("drop-table: notice"));
        assert_eq!(digest("drop-table: off, drop-column: off"), digest("drop-column: off, drop-table: off"));
    }
}
