//! Removing what dead processes left: folders whose owner's lock is free.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    process::Command,
    thread,
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};

/// How our folders' names begin.
pub const PREFIX: &str = "liftlock-pg-";

/// Makes a folder that is marked as in use from the moment on at which it has its name. The mark is a lock, which
/// goes with the process, however that ends; so unlike a process number it can never be mistaken for another's.
pub fn claim(base: &Utf8Path) -> io::Result<(Utf8PathBuf, File)> {
    let name = format!("{PREFIX}{:08x}", rand::random::<u32>());
    let (unborn, folder) = (base.join(format!(".{name}")), base.join(name));
    fs::create_dir(&unborn)?;
    let owner = File::create(unborn.join("owner"))?;
    owner.lock()?;
    fs::rename(&unborn, &folder)?;
    Ok((folder, owner))
}

/// Stops the servers and removes the folders that dead owners left in `base`. What cannot be removed stays.
pub fn sweep(base: &Utf8Path) {
    let Ok(entries) = base.read_dir_utf8() else { return };
    for entry in entries.flatten() {
        let folder = entry.path();
        // Anybody can make such a name in /tmp; only our own folders are ours to remove.
        let ours = || fs::symlink_metadata(folder).is_ok_and(|it| it.is_dir() && it.uid() == geteuid().as_raw());
        let abandoned = match entry.file_name().strip_prefix('.') {
            None if entry.file_name().starts_with(PREFIX) => ours() && is_unlocked(folder),
            // Whoever makes one renames it within moments.
            Some(name) if name.starts_with(PREFIX) => ours() && is_old(folder),
            _ => false,
        };
        if abandoned {
            stop_server(folder);
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn is_unlocked(folder: &Utf8Path) -> bool {
    File::open(folder.join("owner")).is_ok_and(|owner| owner.try_lock().is_ok())
}

fn is_old(folder: &Utf8Path) -> bool {
    let modified = fs::metadata(folder).and_then(|it| it.modified());
    modified.is_ok_and(|it| it.elapsed().is_ok_and(|age| age > Duration::from_secs(60)))
}

fn stop_server(folder: &Utf8Path) {
    for signal in [Signal::SIGQUIT, Signal::SIGKILL] {
        for _ in 0..40 {
            let Some(pid) = server(folder) else { return };
            let _ = kill(pid, signal);
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The running server of this folder. Its number may be another process's by now, so the command line must
/// name the folder.
fn server(folder: &Utf8Path) -> Option<Pid> {
    let pid_file = fs::read_to_string(folder.join("data/postmaster.pid")).ok()?;
    let pid: i32 = pid_file.lines().next()?.trim().parse().ok().filter(|it| *it > 1)?;
    let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).or_else(|_| {
        let output = Command::new("ps").args(["-o", "args=", "-p", &pid.to_string()]).output()?;
        io::Result::Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    });
    command.ok()?.contains(folder.join("data").as_str()).then(|| Pid::from_raw(pid))
}
