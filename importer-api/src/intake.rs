//! An upload → surveyed, in the spool, safe. What takes long is done on other
//! threads, so that the runtime's thread never waits for it.

use std::io;

use axum::body::Bytes;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use common::ledger::Ledger;

use crate::acceptance::{Acceptance, AcceptanceError, AcceptedImport, Sender};
use crate::blocking::UploadThreads;
use crate::csv::{Conversion, Survey, SurveyError, Surveyed};
use crate::spool::{Manifest, Spool, Upload};

/// Pieces that may wait for the disk.
const PIECES_WAITING: usize = 4;

/// The upload was not accepted.
#[derive(Debug, Error)]
pub enum IntakeError {
    /// The file cannot be imported.
    #[error(transparent)]
    File(#[from] SurveyError),
    /// The disk is full, S3 does not answer, or something else is wrong with
    /// where the files are.
    #[error("the upload cannot be stored: {0}")]
    Disk(#[from] io::Error),
    /// It is stored, and did not become an import.
    #[error(transparent)]
    NotAccepted(#[from] AcceptanceError),
    /// The client went away, or the process is ending.
    #[error("the upload was cut off")]
    CutOff,
}

/// The piece of an upload that comes next; `None` is its end.
type Piece = Option<Bytes>;

/// An upload on its way to the disk. Dropping it leaves nothing behind.
#[derive(Debug)]
pub struct Intake {
    pieces: mpsc::Sender<Piece>,
    stored: JoinHandle<Result<(Upload, Surveyed), IntakeError>>,
}

impl Intake {
    /// Begins an upload of a file of that many data records at most.
    pub fn begin(spool: Spool, threads: UploadThreads, max_rows: u64) -> Self {
        let (pieces, incoming) = mpsc::channel(PIECES_WAITING);
        let stored = tokio::spawn(store(spool, threads, max_rows, incoming));
        Self { pieces, stored }
    }

    /// Hands over the next piece. False when the upload has failed already;
    /// [`Intake::finish`] says why.
    pub async fn write(&self, piece: Bytes) -> bool {
        self.pieces.send(Some(piece)).await.is_ok()
    }

    /// The whole upload was handed over. When this gives an import, it is
    /// safe. A client that hangs up meanwhile does not end it half way.
    pub async fn finish<L: Ledger>(
        self,
        from: Sender,
        acceptance: Acceptance<L>,
    ) -> Result<AcceptedImport, IntakeError> {
        let accepting = tokio::spawn(async move {
            let (upload, surveyed) = self.stored().await?;
            Ok(acceptance.accept(upload, surveyed, from).await?)
        });
        accepting.await.map_err(|_| IntakeError::CutOff)?
    }

    /// The whole upload was handed over, and is looked at first.
    pub async fn keep_as_preview(self, from: Sender) -> Result<Manifest, IntakeError> {
        let (upload, surveyed) = self.stored().await?;
        Ok(upload.keep_as_preview(from.received(surveyed)).await?)
    }

    async fn stored(self) -> Result<(Upload, Surveyed), IntakeError> {
        // Where this fails the task has ended, and says why.
        let _ = self.pieces.send(None).await;
        self.stored.await.map_err(|_| IntakeError::CutOff)?
    }
}

/// What has come in of an upload.
#[derive(Debug)]
struct Storing {
    upload: Upload,
    conversion: Conversion,
    survey: Survey,
}

/// An upload after some of its pieces.
enum Stored {
    Part(Box<Storing>),
    Whole(Box<(Upload, Surveyed)>),
}

impl Storing {
    async fn begin(spool: &Spool, max_rows: u64) -> io::Result<Box<Self>> {
        Ok(Box::new(Self {
            upload: spool.begin().await?,
            conversion: Conversion::default(),
            survey: Survey::new(max_rows),
        }))
    }

    /// Adds pieces. Where that fails nothing is left of the upload.
    fn add(mut self: Box<Self>, pieces: Vec<Piece>) -> Result<Stored, IntakeError> {
        for piece in pieces {
            let Some(data) = piece else {
                let text = self.conversion.end();
                self.survey.look(&text)?;
                self.upload.write(&[], &text)?;
                let whole = (self.upload, self.survey.finish()?);
                return Ok(Stored::Whole(Box::new(whole)));
            };
            let text = self.conversion.convert(&data);
            self.survey.look(&text)?;
            self.upload.write(&data, &text)?;
        }
        Ok(Stored::Part(self))
    }
}

/// Stores what comes in. While nothing does, it has no thread.
async fn store(
    spool: Spool,
    threads: UploadThreads,
    max_rows: u64,
    mut incoming: mpsc::Receiver<Piece>,
) -> Result<(Upload, Surveyed), IntakeError> {
    let mut storing = Storing::begin(&spool, max_rows).await?;
    loop {
        let mut pieces = Vec::with_capacity(PIECES_WAITING);
        if incoming.recv_many(&mut pieces, PIECES_WAITING).await == 0 {
            // To remove a large file takes its time.
            let _ = threads.work(move || drop(storing)).await;
            return Err(IntakeError::CutOff);
        }
        storing = match threads.work(move || storing.add(pieces)).await?? {
            Stored::Part(mut storing) => {
                storing.upload.flush().await?;
                storing
            }
            Stored::Whole(whole) => return Ok(*whole),
        };
    }
}

#[cfg(test)]
mod tests {
    use common::ledger::{LedgerSlot, SharedLedger};
    use futures::FutureExt;

    use super::*;
    use crate::import::Arrivals;

    const BEGIN: &str = "name,governmentId,email,debt";
    const END: &str = "Amount,debtDueDate,debtId\na,1,b,2,c,3\n";

    #[tokio::test]
    async fn an_import_is_handed_on_though_its_client_hangs_up_before_the_answer() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let arrivals = Arrivals::default();
        let intake = Intake::begin(spool.clone(), UploadThreads::default(), 10);
        let file = "name,governmentId,email,debtAmount,debtDueDate,debtId\na,1,b,2,c,3\n";
        assert!(intake.write(Bytes::from_static(file.as_bytes())).await);
        let acceptance = Acceptance::<SharedLedger> {
            spool: spool.clone(),
            ledger: LedgerSlot::default(),
            arrivals: arrivals.clone(),
        };
        let mut answer = Box::pin(intake.finish(Sender::default(), acceptance));
        assert!((&mut answer).now_or_never().is_none(), "too early");
        drop(answer);
        // The ledger was not there to be told.
        let import_id = arrivals.next_unknown().await;
        assert_eq!(spool.unfinished().await.unwrap(), [import_id]);
    }

    #[test]
    fn uploads_of_which_nothing_comes_have_no_thread() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::open(dir.path()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut begun = Vec::new();
            for _ in 0..20 {
                let intake = Intake::begin(spool.clone(), UploadThreads::default(), 10);
                assert!(intake.write(Bytes::from_static(BEGIN.as_bytes())).await);
                begun.push(intake);
            }
            for intake in begun {
                assert!(intake.write(Bytes::from_static(END.as_bytes())).await);
                let acceptance = Acceptance::<SharedLedger> {
                    spool: spool.clone(),
                    ledger: LedgerSlot::default(),
                    arrivals: Arrivals::default(),
                };
                let accepted = intake.finish(Sender::default(), acceptance).await.unwrap();
                assert_eq!(accepted.rows, 1);
            }
        });
        let unfinished = runtime.block_on(spool.unfinished());
        assert_eq!(unfinished.unwrap().len(), 20);
    }
}
