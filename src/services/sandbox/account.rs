//! As whom the server runs: Postgres refuses to be root.

use std::{
    fs::Permissions,
    io,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    process::{Command, Stdio},
};

use camino::Utf8Path;
use nix::unistd::{User, geteuid};

use super::{Binaries, Cause, SandboxError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// We are not root: as ourselves.
    Ourselves,
    /// We are root: as this one, without our groups.
    Other { uid: u32, gid: u32 },
    /// We are root and no other account works: in a user namespace where we are not called root.
    Namespace,
}

impl Account {
    /// The first that can run the binaries.
    pub fn choose(binaries: &Binaries, folder: &Utf8Path) -> Result<Self, SandboxError> {
        if !geteuid().is_root() {
            return Ok(Self::Ourselves);
        }
        // The other account must be able to get to the folder that it starts in.
        let open = std::fs::set_permissions(folder, Permissions::from_mode(0o711));
        open.map_err(|source| SandboxError::Folder { path: folder.to_owned(), source })?;
        let others = ["postgres", "nobody"].iter().filter_map(|name| User::from_name(name).ok().flatten());
        let others = others.map(|it| Self::Other { uid: it.uid.as_raw(), gid: it.gid.as_raw() });
        let mut said = Vec::new();
        for account in others.chain([Self::Namespace]) {
            match account.probe(binaries, folder) {
                Ok(()) => return Ok(account),
                Err(error) => said.push(format!("{account:?}: {error}")),
            }
        }
        Err(SandboxError::Root { source: Cause(said.join("; ")) })
    }

    fn probe(&self, binaries: &Binaries, folder: &Utf8Path) -> io::Result<()> {
        for program in ["initdb", "postgres"] {
            let output = self.command(binaries, program, folder).arg("--version").stdin(Stdio::null()).output()?;
            if !output.status.success() {
                return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
            }
        }
        Ok(())
    }

    /// A command that runs one of the binaries as this account, away from our terminal's signals, and with an
    /// environment of its own: `PGDATA` and `PGOPTIONS` would change what it does.
    pub fn command(&self, binaries: &Binaries, program: &str, folder: &Utf8Path) -> Command {
        let program = binaries.bin.join(program);
        let mut command = match self {
            Self::Ourselves | Self::Other { .. } => Command::new(program),
            Self::Namespace => {
                let mut command = Command::new("unshare");
                command.args(["--user", "--map-user=1000", "--map-group=1000", "--"]).arg(program);
                command
            }
        };
        if let Self::Other { uid, gid } = self {
            // Setting the uid also drops root's supplementary groups.
            command.uid(*uid).gid(*gid);
        }
        command.current_dir(folder).process_group(0).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").env("TZ", "UTC");
        if let Some(libraries) = &binaries.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    /// Makes a folder this account's.
    pub fn own(&self, path: &Utf8Path) -> io::Result<()> {
        match self {
            Self::Ourselves | Self::Namespace => Ok(()),
            Self::Other { uid, gid } => chown(path, Some(*uid), Some(*gid)),
        }
    }

    /// Another account must be able to pass through the folder.
    pub fn folder_mode(&self) -> u32 {
        match self {
            Self::Ourselves | Self::Namespace => 0o700,
            Self::Other { .. } => 0o711,
        }
    }
}
