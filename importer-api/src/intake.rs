//! An upload → surveyed, in the spool, safe; a workbook as the CSV that it is
//! converted to. What takes long is done on other threads, so that the
//! runtime's thread never waits for it.

use std::io;

use axum::body::Bytes;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use common::ledger::Ledger;
use common::runtime::in_current_span;

use crate::acceptance::{Acceptance, AcceptanceError, AcceptedImport, Sender};
use crate::blocking::{UploadThreads, blocking};
use crate::csv::{Conversion, Survey, SurveyError, Surveyed};
use crate::spool::{Manifest, Spool, Upload};
use crate::workbook::{HeldWorkbook, WorkbookError, WorkbookRoom, ZIP, convert};

/// Pieces that may wait for the disk.
const PIECES_WAITING: usize = 4;

/// The upload was not accepted.
#[derive(Debug, Error)]
pub enum IntakeError {
    /// The file cannot be imported.
    #[error(transparent)]
    File(#[from] SurveyError),
    /// The workbook cannot be imported.
    #[error(transparent)]
    Workbook(#[from] WorkbookError),
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

/// What all uploads share. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct IntakeRoom {
    threads: UploadThreads,
    workbooks: WorkbookRoom,
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
    pub fn begin(spool: Spool, room: IntakeRoom, max_rows: u64) -> Self {
        let (pieces, incoming) = mpsc::channel(PIECES_WAITING);
        let stored = tokio::spawn(store(spool, room, max_rows, incoming));
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
        let accepting = tokio::spawn(in_current_span(async move {
            let (upload, surveyed) = self.stored().await?;
            Ok(acceptance.accept(upload, surveyed, from).await?)
        }));
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
    content: Content,
    survey: Survey,
}

/// What an upload is, by its first bytes.
#[derive(Debug)]
enum Content {
    /// Too few of them have come.
    Unknown(Vec<u8>),
    /// Text, or what the survey refuses.
    Text(Conversion),
    /// Held until its end, and then converted.
    Workbook(HeldWorkbook),
}

impl Default for Content {
    fn default() -> Self {
        Self::Unknown(Vec::new())
    }
}

/// An upload after some of its pieces.
enum Stored {
    Part(Box<Storing>),
    Whole(Box<Storing>),
}

impl Storing {
    async fn begin(spool: &Spool, max_rows: u64) -> io::Result<Box<Self>> {
        Ok(Box::new(Self {
            upload: spool.begin().await?,
            content: Content::default(),
            survey: Survey::new(max_rows),
        }))
    }

    /// Adds pieces. Where that fails nothing is left of the upload.
    fn add(
        mut self: Box<Self>,
        pieces: Vec<Piece>,
        workbooks: &WorkbookRoom,
    ) -> Result<Stored, IntakeError> {
        for piece in pieces {
            let Some(data) = piece else {
                self.tell_content(true, workbooks)?;
                if let Content::Text(conversion) = &mut self.content {
                    let text = conversion.end();
                    self.write(&[], &text)?;
                }
                return Ok(Stored::Whole(self));
            };
            match &mut self.content {
                Content::Unknown(start) => {
                    start.extend_from_slice(&data);
                    self.tell_content(false, workbooks)?;
                }
                Content::Text(conversion) => {
                    let text = conversion.convert(&data);
                    self.write(&data, &text)?;
                }
                Content::Workbook(workbook) => {
                    workbook.add(&data)?;
                    self.upload.write(&data, &[])?;
                }
            }
        }
        Ok(Stored::Part(self))
    }

    /// Tells by the start what the upload is, once enough of it is there.
    fn tell_content(
        &mut self,
        is_whole: bool,
        workbooks: &WorkbookRoom,
    ) -> Result<(), IntakeError> {
        let Content::Unknown(start) = &mut self.content else {
            return Ok(());
        };
        if start.len() < ZIP.len() && !is_whole {
            return Ok(());
        }
        let start = std::mem::take(start);
        if start.starts_with(ZIP) {
            let mut workbook = HeldWorkbook::new(workbooks.clone());
            workbook.add(&start)?;
            self.content = Content::Workbook(workbook);
            self.upload.write(&start, &[])?;
        } else {
            let mut conversion = Conversion::default();
            let text = conversion.convert(&start);
            self.write(&start, &text)?;
            self.content = Content::Text(conversion);
        }
        Ok(())
    }

    /// The file is whole.
    fn finish(self: Box<Self>) -> Result<(Upload, Surveyed), IntakeError> {
        let Self { upload, survey, .. } = *self;
        Ok((upload, survey.finish()?))
    }

    fn write(&mut self, came: &[u8], text: &[u8]) -> Result<(), IntakeError> {
        self.survey.look(text)?;
        Ok(self.upload.write(came, text)?)
    }
}

/// Stores what comes in. While nothing does, it has no thread.
async fn store(
    spool: Spool,
    room: IntakeRoom,
    max_rows: u64,
    mut incoming: mpsc::Receiver<Piece>,
) -> Result<(Upload, Surveyed), IntakeError> {
    let mut storing = Storing::begin(&spool, max_rows).await?;
    loop {
        let mut pieces = Vec::with_capacity(PIECES_WAITING);
        if incoming.recv_many(&mut pieces, PIECES_WAITING).await == 0 {
            // To remove a large file takes its time.
            let _ = room.threads.work(move || drop(storing)).await;
            return Err(IntakeError::CutOff);
        }
        let workbooks = room.workbooks.clone();
        let stored = room.threads.work(move || storing.add(pieces, &workbooks));
        match stored.await?? {
            Stored::Part(part) => {
                storing = part;
                storing.upload.flush().await?;
            }
            Stored::Whole(whole) => {
                storing = whole;
                break;
            }
        }
    }
    if let Content::Workbook(workbook) = std::mem::take(&mut storing.content) {
        return store_converted(storing, workbook, &room).await;
    }
    room.threads.work(move || storing.finish()).await?
}

/// Stores the CSV that a workbook is converted to, while it is.
async fn store_converted(
    mut storing: Box<Storing>,
    workbook: HeldWorkbook,
    room: &IntakeRoom,
) -> Result<(Upload, Surveyed), IntakeError> {
    let turn = workbook.room().turn().await;
    let (lines, mut converted) = mpsc::channel(PIECES_WAITING);
    let converting = tokio::spawn(blocking(move || {
        let take = |piece: Vec<u8>| lines.blocking_send(piece).is_ok();
        let result = convert(workbook.bytes(), take);
        drop((workbook, turn));
        Ok(result)
    }));
    while let Some(text) = converted.recv().await {
        let stored = room.threads.work(move || {
            storing.write(&[], &text)?;
            Ok::<_, IntakeError>(storing)
        });
        storing = stored.await??;
        storing.upload.flush().await?;
    }
    // To end with a panic is to be unable to read it.
    let result = converting.await.ok().and_then(Result::ok);
    let result = result.unwrap_or(Err(WorkbookError::Unreadable));
    let finish = move || {
        result
            .map_err(IntakeError::from)
            .and_then(|()| storing.finish())
    };
    room.threads.work(finish).await?
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
        let intake = Intake::begin(spool.clone(), IntakeRoom::default(), 10);
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
                let intake = Intake::begin(spool.clone(), IntakeRoom::default(), 10);
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
