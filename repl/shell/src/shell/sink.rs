//! Where results go: the screen, a file, or both.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

/// Files that results are written to.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// Gets what the screen gets.
    spool: Option<Arc<File>>,
    /// Gets it instead of the screen.
    instead: Option<Arc<File>>,
}

impl Files {
    /// Starts or ends the copy of what is shown.
    pub(crate) fn spool(&mut self, path: Option<&str>) -> io::Result<()> {
        self.spool = path.map(File::create).transpose()?.map(Arc::new);
        Ok(())
    }

    /// Sends results to a file, or to the screen again.
    pub(crate) fn redirect(&mut self, path: Option<&str>) -> io::Result<()> {
        self.instead = path.map(File::create).transpose()?.map(Arc::new);
        Ok(())
    }

    /// Whether results go to a file instead of the screen.
    pub(crate) fn is_redirected(&self) -> bool {
        self.instead.is_some()
    }

    /// The file that gets what the screen gets.
    pub(crate) fn spool_file(&self) -> Option<Arc<File>> {
        self.spool.clone()
    }

    /// The screen with the files before it.
    pub(crate) fn over<'w>(&self, screen: &'w mut dyn Write) -> Sink<'w> {
        Sink { screen, spool: self.spool.clone(), instead: self.instead.clone() }
    }
}

/// Writes to the screen and the files.
pub(crate) struct Sink<'w> {
    screen: &'w mut dyn Write,
    spool: Option<Arc<File>>,
    instead: Option<Arc<File>>,
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(file) = &self.instead {
            return (&**file).write_all(bytes);
        }
        if let Some(file) = &self.spool {
            (&**file).write_all(bytes)?;
        }
        self.screen.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.screen.flush()
    }
}
