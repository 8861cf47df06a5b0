//! A forge of files, each a JSON document (or Markdown) that one can open and edit:
//!
//! ```text
//! runs/7.json  approvals/7.json  environments/production.json  lineage.json  reviews/12.json
//! comments/12/1.json  comments/12/1.md
//! ```

use std::{fs, io};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Serialize, de::DeserializeOwned};

use super::{Account, Approval, Comment, Comments, Environment, Forge, ForgeError, Lineage, Review, Run};

/// A folder of files.
#[derive(Debug, Clone)]
pub struct LocalForge {
    folder: Utf8PathBuf,
}

impl LocalForge {
    /// The folder is made with the first comment.
    pub fn at(folder: &Utf8Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn read<T: DeserializeOwned>(&self, below: &str) -> Result<Option<T>, ForgeError> {
        let path = self.folder.join(below);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ForgeError::File { action: "read", path, source }),
        };
        let read = serde_json::from_str(&text);
        read.map(Some).map_err(|error| ForgeError::File { action: "read", path, source: error.into() })
    }

    fn write(&self, below: &str, text: &str) -> Result<(), ForgeError> {
        let path = self.folder.join(below);
        let folder = path.parent().unwrap_or(&self.folder);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
        written.map_err(|source| ForgeError::File { action: "write", path, source })
    }

    /// Writes an answer, as the examples and tests do.
    pub fn put<T: Serialize>(&self, below: &str, answer: &T) -> Result<(), ForgeError> {
        let text = serde_json::to_string_pretty(answer).expect("answers have only text keys");
        self.write(below, &format!("{text}\n"))
    }

    fn keep(&self, number: u64, comment: &Comment) -> Result<(), ForgeError> {
        self.put(&format!("comments/{number}/{}.json", comment.id), comment)?;
        self.write(&format!("comments/{number}/{}.md", comment.id), &comment.body)
    }

    /// All comments with the number of their issue.
    fn comments(&self) -> Result<Vec<(u64, Comment)>, ForgeError> {
        let folder = self.folder.join("comments");
        let mut found = Vec::new();
        for number in numbers(&folder)? {
            for id in numbers(&folder.join(number.to_string()))? {
                found.extend(self.read(&format!("comments/{number}/{id}.json"))?.map(|it| (number, it)));
            }
        }
        Ok(found)
    }
}

/// Entries of a folder whose names, without ending, are numbers, in order, each once.
fn numbers(folder: &Utf8Path) -> Result<Vec<u64>, ForgeError> {
    let failed = |source| ForgeError::File { action: "read", path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        found.extend(name.split('.').next().and_then(|it| it.parse::<u64>().ok()));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn absent(action: String) -> ForgeError {
    ForgeError::NotFound { action, scope: "a file of that name" }
}

fn writer() -> Account {
    Account { login: "liftlock".to_owned(), id: None, kind: Some("Bot".to_owned()) }
}

impl Forge for LocalForge {
    async fn run(&self, run: u64) -> Result<Run, ForgeError> {
        self.read(&format!("runs/{run}.json"))?.ok_or_else(|| absent(format!("read run {run}")))
    }

    async fn environment(&self, name: &str) -> Result<Option<Environment>, ForgeError> {
        self.read(&format!("environments/{}.json", name.replace('/', "_")))
    }

    async fn approvals(&self, run: u64) -> Result<Vec<Approval>, ForgeError> {
        Ok(self.read(&format!("approvals/{run}.json"))?.unwrap_or_default())
    }

    async fn lineage(&self, commit: &str, head: &str, files: &[Utf8PathBuf]) -> Result<Lineage, ForgeError> {
        let lineage: Lineage =
            self.read(&format!("lineage/{commit}.json"))?.ok_or_else(|| absent(format!("read commit {commit}")))?;
        let text = |file: &Utf8PathBuf| {
            let path = self.folder.join("files").join(file);
            match fs::read_to_string(&path) {
                Ok(text) => Ok(Some(text)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(source) => Err(ForgeError::File { action: "read", path, source }),
            }
        };
        let texts = if lineage.on_default_branch {
            files.iter().map(text).collect::<Result<Vec<_>, _>>()?
        } else {
            vec![None; files.len()]
        };
        let same = commit == head;
        let run_on_default_branch = lineage.run_on_default_branch || (same && lineage.on_default_branch);
        Ok(Lineage { texts, in_run: lineage.in_run || same, run_on_default_branch, ..lineage })
    }

    async fn reviews(&self, pull: u64) -> Result<Vec<Review>, ForgeError> {
        Ok(self.read(&format!("reviews/{pull}.json"))?.unwrap_or_default())
    }
}

impl Comments for LocalForge {
    async fn author(&self) -> Result<Option<Account>, ForgeError> {
        Ok(Some(writer()))
    }

    async fn list(&self, number: u64) -> Result<Vec<Comment>, ForgeError> {
        Ok(self.comments()?.into_iter().filter(|it| it.0 == number).map(|it| it.1).collect())
    }

    async fn create(&self, number: u64, body: &str) -> Result<Comment, ForgeError> {
        let id = self.comments()?.iter().map(|it| it.1.id).max().unwrap_or_default() + 1;
        let comment = Comment { id, author: writer(), app: None, body: body.to_owned(), url: None };
        self.keep(number, &comment)?;
        Ok(comment)
    }

    async fn edit(&self, id: u64, body: &str) -> Result<Comment, ForgeError> {
        let found = self.comments()?.into_iter().find(|it| it.1.id == id);
        let (number, comment) = found.ok_or_else(|| absent(format!("edit comment {id}")))?;
        let comment = Comment { body: body.to_owned(), ..comment };
        self.keep(number, &comment)?;
        Ok(comment)
    }
}
