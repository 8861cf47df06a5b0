//! Removing what dead processes left: folders whose owner's lock is free.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    process::Command,
    thread,
    time::Duration,
};

use camino::Utf8Path;
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};

/// How our folders' names begin.
pub const PREFIX: &str = "liftlock-pg-";

/// Marks a folder as in use. The lock goes with the process, however that ends, so unlike a process number it
/// can never be mistaken for somebody else's.
pub fn claim(folder: &Utf8Path) -> io::Result<File> {
    let file = File::create(folder.join("owner"))?;
    file.lock()?;
    Ok(file)
}

/// Stops the servers and removes the folders that dead owners left in `base`. What cannot be removed stays.
pub fn sweep(base: &Utf8Path) {
    let Ok(entries) = base.read_dir_utf8() else { return };
    for entry in entries.flatten().filter(|it| it.file_name().starts_with(PREFIX)) {
        let folder = entry.path();
        // Anybody can make such a name in /tmp; only our own folders are ours to remove.
        let ours = fs::symlink_metadata(folder).is_ok_and(|it| it.is_dir() && it.uid() == geteuid().as_raw());
        if ours && is_abandoned(folder) {
            stop_server(folder);
            let _ = fs::remove_dir_all(folder);
        }
    }
}

fn is_abandoned(folder: &Utf8Path) -> bool {
    match File::open(folder.join("owner")) {
        Ok(owner) => owner.try_lock().is_ok(),
        // Between making the folder and claiming it is a moment; after a minute nobody will.
        Err(_) => fs::metadata(folder)
            .and_then(|it| it.modified())
            .is_ok_and(|it| it.elapsed().is_ok_and(|age| age > Duration::from_secs(60))),
    }
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
