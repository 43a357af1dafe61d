use std::{
    collections::HashSet,
    fs,
    hash::{BuildHasher, RandomState},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use memchr::memmem;

use super::SmtpServerError;

/// What a server keeps of the messages it takes.
#[derive(Debug, Clone, Default)]
pub enum Keep {
    /// All of them, in memory.
    #[default]
    Messages,
    /// Their figures, and the first so many as files `0001.eml` and so on in a folder, whose
    /// former ones are removed.
    Figures {
        /// The folder, made if need be.
        folder: PathBuf,
        /// How many files.
        files: u64,
    },
}

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenMessage {
    /// The sender on the envelope.
    pub from: String,
    /// The recipients on the envelope.
    pub to: Vec<String>,
    /// The message as the client had it.
    pub data: Bytes,
}

/// How much a server took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Messages.
    pub messages: u64,
    /// Distinct `Message-ID`s among them.
    pub message_ids: u64,
    /// Bytes of all messages.
    pub bytes: u64,
    /// From the first message to the last one.
    pub span: Duration,
}

impl Figures {
    /// Messages a second, from the first to the last; `None` where there is no time between.
    pub fn rate(&self) -> Option<f64> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "more messages than any server takes"
        )]
        let further = self.messages.checked_sub(1)? as f64;
        (!self.span.is_zero()).then(|| further / self.span.as_secs_f64())
    }
}

/// The messages of a server.
#[derive(Debug)]
pub(super) struct Inbox {
    keep: Keep,
    kept: Mutex<Kept>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Kept {
    messages: Vec<TakenMessage>,
    figures: Figures,
    first: Option<Instant>,
    /// Hashes, a tenth of the memory of the text: that two of a million are the same has a
    /// chance of one in forty million.
    message_ids: HashSet<u64>,
}

impl Inbox {
    pub(super) fn new(keep: Keep) -> Result<Self, SmtpServerError> {
        if let Keep::Figures { folder, .. } = &keep {
            empty(folder).map_err(|source| SmtpServerError::Folder {
                path: folder.display().to_string(),
                source,
            })?;
        }
        Ok(Self {
            keep,
            kept: Mutex::default(),
            hasher: RandomState::new(),
        })
    }

    /// Returns when the message is kept.
    pub(super) async fn take(&self, message: TakenMessage) -> io::Result<()> {
        let id = message_id(&message.data).map(|id| self.hasher.hash_one(id));
        let number = self.count(message.data.len() as u64, id);
        match &self.keep {
            Keep::Messages => {
                self.kept().messages.push(message);
                Ok(())
            }
            Keep::Figures { folder, files } if number <= *files => {
                let path = folder.join(format!("{number:04}.eml"));
                tokio::fs::write(path, message.data).await
            }
            Keep::Figures { .. } => Ok(()),
        }
    }

    pub(super) fn messages(&self) -> Vec<TakenMessage> {
        self.kept().messages.clone()
    }

    pub(super) fn figures(&self) -> Figures {
        self.kept().figures
    }

    /// Gives the number of the message.
    fn count(&self, bytes: u64, message_id: Option<u64>) -> u64 {
        let mut kept = self.kept();
        let first = *kept.first.get_or_insert_with(Instant::now);
        kept.message_ids.extend(message_id);
        kept.figures = Figures {
            messages: kept.figures.messages + 1,
            message_ids: kept.message_ids.len() as u64,
            bytes: kept.figures.bytes + bytes,
            span: first.elapsed(),
        };
        kept.figures.messages
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value of the field `Message-ID` of the header.
fn message_id(message: &[u8]) -> Option<&[u8]> {
    let end = memmem::find(message, b"\r\n\r\n").unwrap_or(message.len());
    let mut lines = message[..end].split(|byte| *byte == b'\n');
    lines.find_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        let (name, value) = line.split_at(colon);
        name.eq_ignore_ascii_case(b"Message-ID")
            .then(|| value[1..].trim_ascii())
    })
}

/// Makes the folder, or removes what a former server left there.
fn empty(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str());
        let is_ours = number.is_some_and(|stem| stem.bytes().all(|b| b.is_ascii_digit()))
            && path.extension().is_some_and(|extension| extension == "eml");
        if is_ours {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
