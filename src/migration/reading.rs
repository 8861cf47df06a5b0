//! Texts → migrations, on all cores and in order, while whoever asked works on those before: a folder of ten thousand
//! is never in memory at once.

use std::{sync::mpsc, thread};

use rayon::prelude::{IntoParallelIterator, ParallelIterator};

use super::{
    Migration, SourceFile,
    discover::Folder,
    layout::downs::{self, Custom, Down},
    read_in,
};

/// Files that are read together, and bytes of text from which on there are enough of them: enough to keep all cores
/// busy, and little enough to be small, because what is read of a text takes some thirty times its room.
const TOGETHER: usize = 16;
const BYTES_TOGETHER: usize = 8 * 1024;

/// Lots that are read ahead.
const AHEAD: usize = 2;

impl Folder {
    /// Reads the migrations as their tool applies them, in order.
    pub fn read(mut self) -> impl Iterator<Item = Migration> {
        let files = std::mem::take(&mut self.files);
        let inside = files.iter().any(|it| downs::may_hold_down(self.found.layout.tool, &it.text));
        let (all, rest) =
            if inside { (self.read_at_once(files), None) } else { (Vec::new(), Some(self.read_ahead(files))) };
        all.into_iter().chain(rest.into_iter().flatten())
    }

    /// Only when all are read is it known how many of them hold their own way back.
    fn read_at_once(&self, files: Vec<SourceFile>) -> Vec<Migration> {
        let mut migrations = files.into_par_iter().map(|it| self.of(it)).collect::<Vec<_>>();
        let there = migrations.iter().filter(|it| matches!(it.down, Down::There(_))).count();
        let custom = Custom::of(there, migrations.len());
        migrations.iter_mut().for_each(|it| it.down = custom.hold(it.down));
        migrations
    }

    fn read_ahead(self, files: Vec<SourceFile>) -> impl Iterator<Item = Migration> {
        let downs = files.iter().filter_map(|it| self.beside.get(&it.id)?.down);
        let custom = Custom::of(downs.filter(|it| *it > 0).count(), files.len());
        let (sender, receiver) = mpsc::sync_channel(AHEAD);
        if files.len() <= TOGETHER {
            // A thread would cost more than it saves.
            let lot = files.into_par_iter().map(|it| self.held(it, custom)).collect::<Vec<_>>();
            sender.send(lot).expect("there is room, and the receiver is below");
        } else {
            // Each goes when it has been read.
            let lots = lots(files);
            thread::spawn(move || {
                for lot in lots {
                    let lot = lot.into_par_iter().map(|it| self.held(it, custom)).collect::<Vec<_>>();
                    // Whoever asked wants no more.
                    if sender.send(lot).is_err() {
                        return;
                    }
                }
            });
        }
        receiver.into_iter().flatten()
    }

    fn held(&self, file: SourceFile, custom: Custom) -> Migration {
        let migration = self.of(file);
        Migration { down: custom.hold(migration.down), ..migration }
    }

    fn of(&self, file: SourceFile) -> Migration {
        let beside = self.beside.get(&file.id).copied().unwrap_or_default();
        read_in(file, self.found.layout, beside)
    }
}

/// Those that are read together.
fn lots(files: Vec<SourceFile>) -> Vec<Vec<SourceFile>> {
    let (mut lots, mut lot, mut bytes) = (Vec::new(), Vec::new(), 0);
    for file in files {
        bytes += file.text.len();
        lot.push(file);
        if lot.len() == TOGETHER || bytes >= BYTES_TOGETHER {
            lots.push(std::mem::take(&mut lot));
            bytes = 0;
        }
    }
    lots.push(lot);
    lots
}
