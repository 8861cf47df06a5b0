//! Where this runs: what GitHub Actions tells a step in its environment.
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/variables>

use camino::{Utf8Path, Utf8PathBuf};

use crate::{commands::Shell, report::place::Places};

/// What is known; outside GitHub Actions little is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    pub places: Places,
    /// The file of the job summary.
    pub summary: Option<Utf8PathBuf>,
    /// The file of the step's outputs.
    pub outputs: Option<Utf8PathBuf>,
}

impl Surroundings {
    pub fn look(shell: &Shell) -> Self {
        let variable = |name: &str| shell.variable(name).filter(|it| !it.is_empty());
        let here = real(Utf8Path::new("."));
        let root = variable("GITHUB_WORKSPACE").map(|it| real(Utf8Path::new(&it)));
        let root = root.or_else(|| repository(&here)).unwrap_or_else(|| here.clone());
        Self {
            places: Places { here, root },
            summary: variable("GITHUB_STEP_SUMMARY").map(Utf8PathBuf::from),
            outputs: variable("GITHUB_OUTPUT").map(Utf8PathBuf::from),
        }
    }
}

/// The nearest folder upwards that git works in.
fn repository(here: &Utf8Path) -> Option<Utf8PathBuf> {
    here.ancestors().find(|it| it.join(".git").exists()).map(Utf8Path::to_owned)
}

fn real(path: &Utf8Path) -> Utf8PathBuf {
    path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned())
}
