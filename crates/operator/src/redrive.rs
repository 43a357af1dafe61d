//! Moves the dead letters of a work queue back to it.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, SystemTime};

use clap::Args;
use common::messaging::{Aws, AwsSettings, DeadLetters, Looked, NoQueueUrl, Queue, Redriven};
use common::runtime::Environment;

use crate::error::CommandError;
use crate::masked::Masked;

/// Messages that are shown.
const SAMPLE: usize = 5;

/// Moves the dead letters of a work queue back to it, after showing them.
///
/// Each message keeps its body and attributes. It is sent before it is
/// deleted, so a crash may leave it in both queues and loses none; the
/// services find a repeated message done.
#[derive(Debug, Args)]
pub(crate) struct Redrive {
    /// The work queue, by its name (data-process, process-email) or its URL
    #[arg(long)]
    queue: String,
    /// Move without asking
    #[arg(long)]
    yes: bool,
    /// Show what would be moved, and move nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Move this many messages at most
    #[arg(long)]
    limit: Option<u64>,
}

impl Redrive {
    /// # Errors
    /// When a message that should have been moved was not.
    pub(crate) async fn run(
        self,
        environment: &Environment,
        out: &mut impl Write,
    ) -> Result<(), CommandError> {
        let aws = Aws::new(&AwsSettings::read(environment)?).await;
        let letters = self.dead_letters(&aws).await?;
        let looked = letters
            .look(SAMPLE)
            .await
            .map_err(CommandError::call(format!(
                "{} cannot be looked at",
                letters.letters().name()
            )))?;
        // The figures of SQS are approximate.
        let there = looked.depth.visible.max(looked.looked_at as u64);
        let most = self.limit.map_or(there, |limit| limit.min(there));
        show(out, &letters, &looked, there)?;
        if most == 0 || self.dry_run {
            return Ok(());
        }
        if !self.yes && !confirmed(out, &letters, most)? {
            writeln!(out, "Nothing was moved.")?;
            return Ok(());
        }
        let done = letters
            .redrive(most, |done| report_progress(done, most))
            .await;
        finish(out, &letters, &done, most)
    }

    async fn dead_letters(&self, aws: &Aws) -> Result<DeadLetters, CommandError> {
        let name = &self.queue;
        let queue = self.work_queue(aws).await?;
        let found = DeadLetters::of(queue)
            .await
            .map_err(CommandError::call(format!(
                "the dead letters of {name} cannot be found"
            )))?;
        found.ok_or_else(|| {
            CommandError::NotDone(format!(
                "{name} has no redrive policy, which would name its dead letters; is it the work queue?"
            ))
        })
    }

    /// A URL is taken as it is, a name is looked up.
    async fn work_queue(&self, aws: &Aws) -> Result<Queue, CommandError> {
        if self.queue.contains("://") {
            let url = self.queue.parse().map_err(|error: NoQueueUrl| {
                CommandError::NotDone(format!("{}: {error}", self.queue))
            })?;
            return Ok(aws.queue(&url)?);
        }
        aws.queue_named(&self.queue)
            .await
            .map_err(CommandError::call(format!(
                "the queue {} cannot be found",
                self.queue
            )))
    }
}

fn show(
    out: &mut impl Write,
    letters: &DeadLetters,
    looked: &Looked,
    there: u64,
) -> io::Result<()> {
    let (from, to) = (letters.letters().name(), letters.home().name());
    writeln!(out, "{from} → {to}: {}", messages(there))?;
    if looked.depth.in_flight > 0 {
        let hidden = messages(looked.depth.in_flight);
        writeln!(
            out,
            "  {hidden} more in somebody's hands, not to be moved now"
        )?;
    }
    if let Some(oldest) = looked.oldest {
        let age = SystemTime::now().duration_since(oldest).unwrap_or_default();
        let of = looked.looked_at;
        writeln!(
            out,
            "  the oldest of the {of} looked at was sent {} ago",
            ago(age)
        )?;
    }
    for delivery in &looked.sample {
        writeln!(out, "  - {}", Masked(delivery))?;
    }
    let more = there.saturating_sub(looked.sample.len() as u64);
    if more > 0 {
        writeln!(out, "  - and {more} more")?;
    }
    Ok(())
}

/// Asks on the terminal.
fn confirmed(out: &mut impl Write, letters: &DeadLetters, most: u64) -> Result<bool, CommandError> {
    if !io::stdin().is_terminal() {
        return Err(CommandError::NotDone(
            "nobody is there to ask; --yes moves without asking, --dry-run only shows".into(),
        ));
    }
    write!(
        out,
        "Move {} to {}? [y/N] ",
        messages(most),
        letters.home().name()
    )?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn report_progress(done: &Redriven, most: u64) {
    let mut terminal = io::stderr();
    if terminal.is_terminal() {
        // Nothing depends on whether it is seen.
        let _ = write!(terminal, "\rmoved {} of {most}", done.moved);
        if done.moved == most {
            let _ = writeln!(terminal);
        }
    }
}

fn finish(
    out: &mut impl Write,
    letters: &DeadLetters,
    done: &Redriven,
    most: u64,
) -> Result<(), CommandError> {
    let (from, to) = (letters.letters().name(), letters.home().name());
    writeln!(
        out,
        "moved {}, failed {}",
        done.moved,
        done.failed + done.copied
    )?;
    if let Some(reason) = &done.reason {
        let copied = match done.copied {
            0 => String::new(),
            copied => format!("{copied} of them are in {to} as well, which is harmless; "),
        };
        return Err(CommandError::NotDone(format!(
            "not all were moved: {reason}; {copied}what is left in {from} can be moved by the same command"
        )));
    }
    if done.moved < most {
        writeln!(
            out,
            "{} are gone or in somebody's hands by now",
            most - done.moved
        )?;
    }
    Ok(())
}

fn messages(count: u64) -> String {
    match count {
        0 => "no messages".into(),
        1 => "1 message".into(),
        _ => format!("{count} messages"),
    }
}

/// The two largest units of a time.
fn ago(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_their_largest_units() {
        for (seconds, told) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_661, "1 h 1 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(ago(Duration::from_secs(seconds)), told);
        }
    }
}
