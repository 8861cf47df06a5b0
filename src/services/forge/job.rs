//! The GitHub job that this process runs in, as its variables say:
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/variables>. They can be set by anybody in
//! the job, so each that matters is compared with what the API says.

use std::fmt;

/// The variables of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Job {
    /// `owner/name`.
    pub repository: String,
    pub run: Option<u64>,
    pub attempt: Option<u64>,
    /// The commit that the job was started for.
    pub sha: String,
    pub reference: String,
    pub actor: String,
    pub event: String,
    /// The commit that the promotion was asked for (`LIFTLOCK_COMMIT`, the action's input `commit`).
    pub commit: Option<String>,
}

impl Job {
    /// The job that this process runs in; `None` outside GitHub Actions.
    pub fn here(variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let set = |name: &str| variable(name).filter(|it| !it.is_empty());
        if set("GITHUB_ACTIONS").as_deref() != Some("true") {
            return None;
        }
        let text = |name: &str| set(name).unwrap_or_default();
        Some(Self {
            repository: text("GITHUB_REPOSITORY"),
            run: set("GITHUB_RUN_ID").and_then(|it| it.parse().ok()),
            attempt: set("GITHUB_RUN_ATTEMPT").and_then(|it| it.parse().ok()),
            sha: text("GITHUB_SHA"),
            reference: text("GITHUB_REF"),
            actor: text("GITHUB_ACTOR"),
            event: text("GITHUB_EVENT_NAME"),
            commit: set("LIFTLOCK_COMMIT"),
        })
    }
}

impl Job {
    /// The commit that is promoted.
    pub fn promoted(&self) -> &str {
        self.commit.as_deref().unwrap_or(&self.sha)
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |it: Option<u64>| it.map_or_else(|| "?".to_owned(), |it| it.to_string());
        write!(f, "run {} attempt {} of {}", number(self.run), number(self.attempt), self.repository)
    }
}

#[cfg(test)]
mod tests {
    use super::Job;

    #[test]
    fn a_job_is_what_the_runner_says() {
        let inside = [("GITHUB_ACTIONS", "true"), ("GITHUB_REPOSITORY", "o/r"), ("GITHUB_RUN_ID", "7")];
        let odd = [("GITHUB_ACTIONS", "true"), ("GITHUB_RUN_ID", "seven"), ("LIFTLOCK_COMMIT", "")];
        for (variables, expected) in [
            (&[][..], None),
            (&[("GITHUB_ACTIONS", "false"), ("GITHUB_RUN_ID", "7")], None),
            (&inside, Some("run 7 attempt ? of o/r")),
            (&odd, Some("run ? attempt ? of ")),
        ] {
            let variable = |name: &str| variables.iter().find(|it| it.0 == name).map(|it| it.1.to_owned());
            let job = Job::here(&variable);
            assert_eq!(job.as_ref().map(ToString::to_string).as_deref(), expected, "{variables:?}");
            assert_eq!(job.and_then(|it| it.commit), None);
        }
    }
}
