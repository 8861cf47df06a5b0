//! Messages on stdin and stdout, a thread for each way.

use std::{
    io::{self, BufRead, ErrorKind, Read},
    sync::mpsc,
    thread::{self, JoinHandle},
};

use lsp_server::{Connection, Message};

/// The threads behind a connection.
pub struct Pipe {
    /// Why reading ended, when that was no end of the input.
    broken: mpsc::Receiver<String>,
    writer: JoinHandle<()>,
}

/// Starts to read and to write.
pub fn open() -> (Connection, Pipe) {
    let (server, editor) = Connection::memory();
    let Connection { sender, receiver } = editor;
    let (report, broken) = mpsc::channel();
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let message = match read(&mut input) {
                Ok(Some(message)) => message,
                Ok(None) => return,
                // It was as long as its header said, so the next one stands where it should.
                Err(error) if is_payload(&error) => continue,
                Err(error) => {
                    // Nobody listens any more when the server has ended.
                    let _ = report.send(error.to_string());
                    return;
                }
            };
            let is_last = matches!(&message, Message::Notification(it) if it.method == "exit");
            if sender.send(message).is_err() || is_last {
                return;
            }
        }
    });
    let writer = thread::spawn(move || {
        let mut output = io::stdout().lock();
        // An editor that reads no more is gone, or about to be.
        while let Ok(message) = receiver.recv() {
            if message.write(&mut output).is_err() {
                return;
            }
        }
    });
    (server, Pipe { broken, writer })
}

/// Longer than any: the largest file, each byte of it escaped.
const LONGEST: u64 = 256 << 20;

/// One message. Its length is held to [`LONGEST`] before room is made for it.
fn read(input: &mut impl BufRead) -> io::Result<Option<Message>> {
    let mut whole = Vec::new();
    let mut length = 0;
    loop {
        let from = whole.len();
        if input.by_ref().take(LONGEST).read_until(b'\n', &mut whole)? == 0 {
            break;
        }
        let line = String::from_utf8_lossy(&whole[from..]);
        if line.trim().is_empty() {
            break;
        }
        if let Some((_, value)) = line.split_once(':').filter(|it| it.0.eq_ignore_ascii_case("content-length")) {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    if length > LONGEST {
        return Err(io::Error::other(format!("one of {length} bytes is announced; the limit is {LONGEST}")));
    }
    input.take(length).read_to_end(&mut whole)?;
    Message::read(&mut whole.as_slice())
}

/// A whole message that is no JSON, or no message of the protocol.
fn is_payload(error: &io::Error) -> bool {
    error.kind() == ErrorKind::InvalidData && error.to_string().starts_with("malformed LSP payload")
}

impl Pipe {
    /// Writes what is left. Reading is not waited for: somebody else may hold the other end of the input open.
    ///
    /// # Errors
    ///
    /// Why nothing more could be read, when that was no end of the input.
    pub fn close(self, connection: Connection) -> Result<(), String> {
        drop(connection);
        let _ = self.writer.join();
        self.broken.try_recv().map_or(Ok(()), Err)
    }
}
