//! What can be said of any [`Change`] at once: its name in messages, its kind, and whether it may stand in a
//! transaction.

use super::{
    Statement,
    change::{ActionKind, Change, ObjectKind, ReindexTarget, SetScope, Transaction},
};

impl ObjectKind {
    /// As SQL writes it, in upper case.
    pub fn words(self) -> &'static str {
        match self {
            Self::AccessMethod => "ACCESS METHOD",
            Self::Aggregate => "AGGREGATE",
            Self::Cast => "CAST",
            Self::Collation => "COLLATION",
            Self::Column => "COLUMN",
            Self::Constraint => "CONSTRAINT",
            Self::Conversion => "CONVERSION",
            Self::Database => "DATABASE",
            Self::Domain => "DOMAIN",
            Self::EventTrigger => "EVENT TRIGGER",
            Self::Extension => "EXTENSION",
            Self::ForeignDataWrapper => "FOREIGN DATA WRAPPER",
            Self::ForeignTable => "FOREIGN TABLE",
            Self::Function => "FUNCTION",
            Self::Index => "INDEX",
            Self::Language => "LANGUAGE",
            Self::LargeObject => "LARGE OBJECT",
            Self::MaterializedView => "MATERIALIZED VIEW",
            Self::Operator => "OPERATOR",
            Self::OperatorClass => "OPERATOR CLASS",
            Self::OperatorFamily => "OPERATOR FAMILY",
            Self::Parameter => "PARAMETER",
            Self::Policy => "POLICY",
            Self::Procedure => "PROCEDURE",
            Self::Publication => "PUBLICATION",
            Self::Role => "ROLE",
            Self::Routine => "ROUTINE",
            Self::Rule => "RULE",
            Self::Schema => "SCHEMA",
            Self::Sequence => "SEQUENCE",
            Self::Server => "SERVER",
            Self::Statistics => "STATISTICS",
            Self::Subscription => "SUBSCRIPTION",
            Self::Table => "TABLE",
            Self::Tablespace => "TABLESPACE",
            Self::TextSearch => "TEXT SEARCH",
            Self::Transform => "TRANSFORM",
            Self::Trigger => "TRIGGER",
            Self::Type => "TYPE",
            Self::UserMapping => "USER MAPPING",
            Self::View => "VIEW",
        }
    }
}

impl Transaction {
    fn words(self) -> &'static str {
        match self {
            Self::Begin => "BEGIN",
            Self::Commit => "COMMIT",
            Self::Rollback => "ROLLBACK",
            Self::Savepoint => "SAVEPOINT",
            Self::Release => "RELEASE SAVEPOINT",
            Self::RollbackTo => "ROLLBACK TO SAVEPOINT",
            Self::PrepareTransaction => "PREPARE TRANSACTION",
            Self::CommitPrepared => "COMMIT PREPARED",
            Self::RollbackPrepared => "ROLLBACK PREPARED",
            Self::Characteristics => "SET TRANSACTION",
        }
    }
}

impl Change {
    /// Its name in messages, in upper case: `CREATE INDEX`, `DROP MATERIALIZED VIEW`; for what was not read,
    /// `unread statement`.
    pub fn verb(&self) -> String {
        let kind = |verb: &str, kind: ObjectKind| format!("{verb} {}", kind.words());
        match self {
            Self::CreateTable(table) if table.foreign => kind("CREATE", ObjectKind::ForeignTable),
            Self::CreateTable(_) => kind("CREATE", ObjectKind::Table),
            Self::AlterTable(table) if table.foreign => kind("ALTER", ObjectKind::ForeignTable),
            Self::AlterTable(_) => kind("ALTER", ObjectKind::Table),
            Self::CreateIndex(index) if index.concurrently => "CREATE INDEX CONCURRENTLY".to_owned(),
            Self::CreateIndex(_) => kind("CREATE", ObjectKind::Index),
            Self::AlterObject(object) => kind("ALTER", object.kind),
            Self::Drop(drop) if drop.concurrently => "DROP INDEX CONCURRENTLY".to_owned(),
            Self::Drop(drop) => kind("DROP", drop.kind),
            Self::DropOwned { .. } => "DROP OWNED".to_owned(),
            Self::Truncate(_) => "TRUNCATE".to_owned(),
            Self::Delete(_) => "DELETE".to_owned(),
            Self::Update(_) => "UPDATE".to_owned(),
            Self::Insert(_) => "INSERT".to_owned(),
            Self::Merge { .. } => "MERGE".to_owned(),
            Self::CreateView(view) if view.materialized => kind("CREATE", ObjectKind::MaterializedView),
            Self::CreateView(_) => kind("CREATE", ObjectKind::View),
            Self::CreateType(_) => kind("CREATE", ObjectKind::Type),
            Self::CreateRoutine(routine) => kind("CREATE", routine.kind),
            Self::CreateTrigger { .. } => kind("CREATE", ObjectKind::Trigger),
            Self::CreatePolicy { .. } => kind("CREATE", ObjectKind::Policy),
            Self::CreateSequence { .. } => kind("CREATE", ObjectKind::Sequence),
            Self::CreateSchema { .. } => kind("CREATE", ObjectKind::Schema),
            Self::CreateExtension { .. } => kind("CREATE", ObjectKind::Extension),
            Self::CreateOther { kind: other, .. } => kind("CREATE", *other),
            Self::Grant { revoke: false, .. } => "GRANT".to_owned(),
            Self::Grant { revoke: true, .. } => "REVOKE".to_owned(),
            Self::AlterDefaultPrivileges(_) => "ALTER DEFAULT PRIVILEGES".to_owned(),
            Self::Comment { .. } => "COMMENT".to_owned(),
            Self::Set(set) if set.scope == SetScope::Reset => "RESET".to_owned(),
            Self::Set(_) => "SET".to_owned(),
            Self::Transaction(transaction) => transaction.words().to_owned(),
            Self::Do { .. } => "DO".to_owned(),
            Self::Call { .. } => "CALL".to_owned(),
            Self::Query { .. } => "SELECT".to_owned(),
            Self::Explain { .. } => "EXPLAIN".to_owned(),
            Self::Copy(_) => "COPY".to_owned(),
            Self::Refresh { .. } => "REFRESH MATERIALIZED VIEW".to_owned(),
            Self::Reindex { .. } => "REINDEX".to_owned(),
            Self::Cluster { .. } => "CLUSTER".to_owned(),
            Self::Vacuum { .. } => "VACUUM".to_owned(),
            Self::Analyze { .. } => "ANALYZE".to_owned(),
            Self::Lock { .. } => "LOCK TABLE".to_owned(),
            Self::Prepared { verb } => (*verb).to_owned(),
            Self::Server { verb, .. } | Self::Harmless { verb } => verb.clone(),
            Self::Unread { .. } => "unread statement".to_owned(),
        }
    }

    /// Postgres refuses it inside a transaction block, so a migration that holds it runs statement by statement.
    ///
    /// `REFRESH … CONCURRENTLY` and `ALTER TYPE … ADD VALUE` are allowed there. Source:
    /// [PreventInTransactionBlock](https://github.com/postgres/postgres/blob/master/src/backend/tcop/utility.c).
    pub fn forbids_transaction(&self) -> bool {
        match self {
            Self::CreateIndex(index) => index.concurrently,
            Self::Drop(drop) => {
                drop.concurrently
                    || matches!(drop.kind, ObjectKind::Database | ObjectKind::Tablespace | ObjectKind::Subscription)
            }
            Self::AlterTable(table) => table
                .actions
                .iter()
                .any(|action| matches!(action.kind, ActionKind::DetachPartition { concurrently: true, .. })),
            Self::Reindex { target, concurrently, .. } => {
                *concurrently || !matches!(target, ReindexTarget::Index | ReindexTarget::Table)
            }
            Self::Cluster { table } => table.is_none(),
            Self::Vacuum { .. } => true,
            Self::CreateOther { kind, .. } => *kind == ObjectKind::Subscription,
            // `ALTER DATABASE … SET` may stand in a transaction, moving a database may not: the former is common.
            Self::Server { verb, .. } => {
                matches!(verb.as_str(), "ALTER SYSTEM" | "CREATE DATABASE" | "CREATE TABLESPACE")
            }
            Self::Transaction(transaction) => {
                matches!(transaction, Transaction::CommitPrepared | Transaction::RollbackPrepared)
            }
            Self::Harmless { verb } => verb == "DISCARD ALL",
            _ => false,
        }
    }

    /// It changes rows.
    pub fn is_dml(&self) -> bool {
        match self {
            Self::Truncate(_) | Self::Delete(_) | Self::Update(_) | Self::Insert(_) | Self::Merge { .. } => true,
            Self::Copy(copy) => copy.from,
            _ => false,
        }
    }

    /// It changes what the database consists of: objects, their names, owners and privileges.
    pub fn is_ddl(&self) -> bool {
        matches!(
            self,
            Self::CreateTable(_)
                | Self::AlterTable(_)
                | Self::CreateIndex(_)
                | Self::AlterObject(_)
                | Self::Drop(_)
                | Self::DropOwned { .. }
                | Self::CreateView(_)
                | Self::CreateType(_)
                | Self::CreateRoutine(_)
                | Self::CreateTrigger { .. }
                | Self::CreatePolicy { .. }
                | Self::CreateSequence { .. }
                | Self::CreateSchema { .. }
                | Self::CreateExtension { .. }
                | Self::CreateOther { .. }
                | Self::Grant { .. }
                | Self::AlterDefaultPrivileges(_)
                | Self::Comment { .. }
                | Self::Server { .. }
        )
    }
}

impl Statement {
    /// This statement and all inside it, outermost first.
    pub fn walk(&self) -> impl Iterator<Item = &Self> {
        let mut open = vec![self];
        std::iter::from_fn(move || {
            let next = open.pop()?;
            open.extend(next.inner.iter().rev());
            Some(next)
        })
    }
}
