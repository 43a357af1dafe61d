//! An upload → surveyed, on disk, synced. The file work is done on a thread
//! of its own, so that the runtime's thread never waits for the disk.

use std::io;

use axum::body::Bytes;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::csv::{Survey, SurveyError};
use crate::spool::{Manifest, Spool};

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
    /// Begins an upload.
    pub fn begin(spool: Spool) -> Self {
        let (pieces, incoming) = mpsc::channel(PIECES_WAITING);
        let stored = tokio::task::spawn_blocking(move || store(&spool, incoming));
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
            Piece::End { file_name } => return Ok(upload.commit(file_name, survey.finish()?)?),
        }
    }
    Err(IntakeError::CutOff)
}
