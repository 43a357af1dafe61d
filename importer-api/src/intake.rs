//! An upload → surveyed, on disk, synced. The file work is done on a thread
//! of its own, so that the runtime's thread never waits for the disk.

use std::io;

use axum::body::Bytes;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::csv::{Survey, SurveyError};
use crate::spool::{Manifest, Received, Spool};

/// Pieces that may wait for the disk.
const PIECES_WAITING: usize = 4;

/// The upload was not accepted.
#[derive(Debug, Error)]
pub enum IntakeError {
    /// The file cannot be imported.
    #[error(transparent)]
    File(#[from] SurveyError),
    /// The disk is full, or something else is wrong with it.
    #[error("the upload cannot be stored: {0}")]
    Disk(#[from] io::Error),
    /// The client went away, or the process is ending.
    #[error("the upload was cut off")]
    CutOff,
}

enum Piece {
    Data(Bytes),
    End { file_name: Option<String> },
}

/// An upload on its way to the disk. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Intake {
    pieces: mpsc::Sender<Piece>,
    stored: JoinHandle<Result<Manifest, IntakeError>>,
}

impl Intake {
    /// Begins an upload. It is sent to `accepted` once it is an import.
    pub fn begin(spool: Spool, accepted: mpsc::UnboundedSender<Manifest>) -> Self {
        let (pieces, incoming) = mpsc::channel(PIECES_WAITING);
        let stored = tokio::task::spawn_blocking(move || {
            let manifest = store(&spool, incoming)?;
            // Here and not by who waits for the answer, as the client may
            // have hung up. The importer is gone only while the process
            // stops; it goes on with the import at the next start.
            let _ = accepted.send(manifest.clone());
            Ok(manifest)
        });
        Self { pieces, stored }
    }

    /// Hands over the next piece. False when the upload has failed already;
    /// [`Intake::finish`] says why.
    pub async fn write(&self, piece: Bytes) -> bool {
        self.pieces.send(Piece::Data(piece)).await.is_ok()
    }

    /// The whole upload was handed over. When this gives a manifest, the
    /// import is safe on disk.
    pub async fn finish(self, file_name: Option<String>) -> Result<Manifest, IntakeError> {
        // Where this fails the task has ended, and says why.
        let _ = self.pieces.send(Piece::End { file_name }).await;
        self.stored.await.map_err(|_| IntakeError::CutOff)?
    }
}

fn store(spool: &Spool, mut incoming: mpsc::Receiver<Piece>) -> Result<Manifest, IntakeError> {
    let mut upload = spool.begin()?;
    let mut survey = Survey::default();
    while let Some(piece) = incoming.blocking_recv() {
        match piece {
            Piece::Data(data) => {
                survey.look(&data)?;
                upload.write(&data)?;
            }
            Piece::End { file_name } => {
                return Ok(upload.commit(Received {
                    file_name,
                    idempotency_key: None,
                    surveyed: survey.finish()?,
                })?);
            }
        }
    }
    Err(IntakeError::CutOff)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn an_import_is_handed_on_though_its_client_hangs_up_before_the_answer() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let (accepted, mut imports) = mpsc::unbounded_channel();
        let intake = Intake::begin(spool.clone(), accepted);
        let file = "name,governmentId,email,debtAmount,debtDueDate,debtId\na,1,b,2,c,3\n";
        assert!(intake.write(Bytes::from_static(file.as_bytes())).await);
        let mut answer = Box::pin(intake.finish(None));
        assert!((&mut answer).now_or_never().is_none(), "too early");
        drop(answer);
        let manifest = imports.recv().await.unwrap();
        assert_eq!(spool.unfinished().unwrap()[0].0, manifest);
    }
}
