//! What a flush takes where the measured banks' data lies, with the waking after it: of a durable
//! answer's time the part that no bank can take away.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

use super::open::{Latency, Times};
use crate::error::Error;
use crate::folder::Private;

/// A page of the WAL, which a small commit writes.
const PAGE: [u8; 8 * 1024] = [b'x'; 8 * 1024];
/// Like a segment, it is there in full before it is written to.
const PAGES: u64 = 512;
/// Between two: about what the contest's transacoes leave, so that the disk and the CPU that waits
/// for it sleep in between as they do there.
const PAUSE: Duration = Duration::from_millis(4);
/// In a stretch: a second of them.
const FLUSHES: u64 = 200;

/// A file beside those of the banks, written and flushed again and again as the WAL is.
pub(super) struct Flushes {
    file: File,
    next: u64,
    took: Times,
    /// Until drop.
    _folder: Private,
}

impl Flushes {
    /// Makes the file.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn new() -> Result<Flushes, Error> {
        let folder = Private::create()?;
        let path = folder.path().join("flushed");
        let made = File::create_new(&path).and_then(|file| {
            (0..PAGES).try_for_each(|page| write(&file, page))?;
            file.sync_all()?;
            Ok(file)
        });
        Ok(Flushes {
            file: made.map_err(Error::while_doing(path.display()))?,
            next: 0,
            took: Times::new(),
            _folder: folder,
        })
    }

    /// A second of them.
    ///
    /// # Errors
    /// The disk's.
    pub fn stretch(&mut self) -> Result<(), Error> {
        for _ in 0..FLUSHES {
            thread::sleep(PAUSE);
            let start = Instant::now();
            write(&self.file, self.next % PAGES)
                .and_then(|()| self.file.sync_data())
                .map_err(Error::while_doing("a flush"))?;
            self.took.record(start.elapsed());
            self.next += 1;
        }
        Ok(())
    }

    /// Of all so far.
    pub fn latency(&self) -> Latency {
        self.took.latency()
    }
}

fn write(file: &File, page: u64) -> io::Result<()> {
    file.write_all_at(&PAGE, page * PAGE.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flush_counts() {
        let mut flushes = Flushes::new().unwrap();
        flushes.stretch().unwrap();
        let latency = flushes.latency();
        assert_eq!(latency.count, FLUSHES);
        assert!(latency.p50 <= latency.p99, "{latency:?}");
    }
}
