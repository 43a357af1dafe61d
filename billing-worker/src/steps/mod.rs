//! The rules of the chain, one file each.

mod check;
mod context;
mod process;
mod schedule;

pub use check::{Check, Checked};
pub use context::Context;
pub use process::Process;
pub use schedule::Schedule;
