use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::WorkbookError;
use super::limits::{MAX_HELD_BYTES, MAX_WORKBOOK_BYTES};

/// The memory that the workbooks of all uploads have. Cloning shares it.
#[derive(Clone, Debug)]
pub struct WorkbookRoom {
    bytes: Arc<Semaphore>,
    /// Held while a workbook is converted: what calamine takes for that, one
    /// workbook takes at a time.
    turn: Arc<Semaphore>,
}

impl Default for WorkbookRoom {
    fn default() -> Self {
        Self {
            bytes: Arc::new(Semaphore::new(MAX_HELD_BYTES)),
            turn: Arc::new(Semaphore::new(1)),
        }
    }
}

impl WorkbookRoom {
    /// Waits until no other workbook is converted, or will be before this one.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.turn).acquire_owned().await.ok()
    }
}

/// A workbook that comes in. Its room is free again once it is dropped.
#[derive(Debug)]
pub struct HeldWorkbook {
    room: WorkbookRoom,
    bytes: Vec<u8>,
    held: Option<OwnedSemaphorePermit>,
}

impl HeldWorkbook {
    /// Nothing of a workbook yet.
    pub fn new(room: WorkbookRoom) -> Self {
        Self {
            room,
            // Once for all: to grow step by step would have it in memory twice
            // at times. What is not used costs nothing.
            bytes: Vec::with_capacity(MAX_WORKBOOK_BYTES),
            held: None,
        }
    }

    /// Adds the next piece.
    ///
    /// # Errors
    /// Where it gets too large, or the others have all the room.
    pub fn add(&mut self, piece: &[u8]) -> Result<(), WorkbookError> {
        if self.bytes.len() + piece.len() > MAX_WORKBOOK_BYTES {
            return Err(WorkbookError::TooLarge);
        }
        let wanted = u32::try_from(piece.len()).map_err(|_| WorkbookError::TooLarge)?;
        let more = Arc::clone(&self.room.bytes).try_acquire_many_owned(wanted);
        let more = more.map_err(|_| WorkbookError::NoRoom)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            held => *held = Some(more),
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// What has come in.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it shares with the others.
    pub fn room(&self) -> &WorkbookRoom {
        &self.room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workbooks_are_held_as_long_as_there_is_room() {
        let room = WorkbookRoom::default();
        let half = vec![0; MAX_WORKBOOK_BYTES / 2];
        let mut held: Vec<_> = (0..3).map(|_| HeldWorkbook::new(room.clone())).collect();
        for workbook in &mut held[..2] {
            workbook.add(&half).unwrap();
            workbook.add(&half).unwrap();
        }
        assert_eq!(held[0].add(b"x"), Err(WorkbookError::TooLarge));
        assert_eq!(held[2].add(b"x"), Err(WorkbookError::NoRoom));
        held.swap_remove(0);
        held[0].add(&half).unwrap();
        assert_eq!(held[0].bytes().len(), half.len());
    }
}
