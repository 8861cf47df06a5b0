//! Programs of other people that tests run: in `target/tools`, where `tests/tools/install` puts them.

use std::{path::PathBuf, process::Command};

/// A program or file below `target/tools`; a test that misses one fails and says how to get it.
pub fn tool(path: &str) -> PathBuf {
    let tool = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools").join(path);
    assert!(tool.exists(), "target/tools/{path} is not there: run `tests/run`, or only `tests/tools/install`");
    tool
}

/// A program of the Python environment: `act`, `zizmor`, `check-jsonschema`, `shellcheck`.
pub fn python_tool(name: &str) -> Command {
    Command::new(tool("venv/bin").join(name))
}

/// Both outputs of a program that must end well.
pub fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
    text
}
