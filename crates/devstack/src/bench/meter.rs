//! What a process takes of the machine, from `/proc` and its CPU clock.

use std::time::Duration;

use anyhow::{Context, Result};
use nix::{time::ClockId, unistd::Pid};
use procfs::process::{Process, Stat};
use serde::{Deserialize, Serialize};

/// What one process took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ProcessCost {
    /// CPU seconds in the program.
    pub(super) user_seconds: f64,
    /// CPU seconds in the kernel, for the program.
    pub(super) system_seconds: f64,
    /// Most memory that was resident since it started (`VmHWM`). With children, whose pages are
    /// partly the same: what all have now (PSS), where that is more.
    pub(super) peak_memory_bytes: u64,
}

/// Counts what a process takes from the meter's start on.
#[derive(Debug)]
pub(super) struct Meter {
    process: Process,
    clock: ClockId,
    with_children: bool,
    start: Reading,
}

/// CPU time since the process started.
#[derive(Debug, Clone, Copy, Default)]
struct Reading {
    /// Exact, without children.
    cpu: Duration,
    /// The same in ticks of 10 ms, as the kernel shares it between program and kernel.
    user: u64,
    system: u64,
    /// Ticks of children, those that ended included.
    children_user: u64,
    children_system: u64,
}

impl Meter {
    /// Starts to count for the process alone.
    pub(super) fn of(pid: u32) -> Result<Self> {
        Self::start(pid, false)
    }

    /// Starts to count for the process and its children.
    pub(super) fn of_family(pid: u32) -> Result<Self> {
        Self::start(pid, true)
    }

    /// What it took since the start.
    pub(super) fn read(&self) -> Result<ProcessCost> {
        let now = self.reading()?;
        let status = self.process.status()?;
        let (user, system) = now.since(&self.start).seconds(procfs::ticks_per_second());
        let peak = status.vmhwm.unwrap_or_default() * 1024;
        Ok(ProcessCost {
            user_seconds: user,
            system_seconds: system,
            peak_memory_bytes: peak.max(self.family_memory()?),
        })
    }

    /// What a process and its children have now, where they are asked for; pages that several
    /// have count once.
    fn family_memory(&self) -> Result<u64> {
        if !self.with_children {
            return Ok(0);
        }
        let mut bytes = share_of_memory(&self.process);
        for child in self.running_children()? {
            bytes += Process::new(child.pid).as_ref().map_or(0, share_of_memory);
        }
        Ok(bytes)
    }

    fn start(pid: u32, with_children: bool) -> Result<Self> {
        let pid = i32::try_from(pid)?;
        let mut meter = Self {
            process: Process::new(pid).with_context(|| format!("process {pid}"))?,
            clock: ClockId::pid_cpu_clock_id(Pid::from_raw(pid))?,
            with_children,
            start: Reading::default(),
        };
        meter.start = meter.reading()?;
        Ok(meter)
    }

    fn reading(&self) -> Result<Reading> {
        let cpu = Duration::from(self.clock.now()?);
        let stat = self.process.stat()?;
        let mut reading = Reading {
            cpu,
            user: stat.utime,
            system: stat.stime,
            ..Reading::default()
        };
        if self.with_children {
            reading.add_children(&stat);
            for child in self.running_children()? {
                reading.children_user += child.utime;
                reading.children_system += child.stime;
                reading.add_children(&child);
            }
        }
        Ok(reading)
    }

    fn running_children(&self) -> Result<Vec<Stat>> {
        let mut children = Vec::new();
        for task in self.process.tasks()? {
            for pid in task?.children()? {
                let pid = i32::try_from(pid)?;
                // One that has ended meanwhile is among those that ended the next time.
                if let Ok(stat) = Process::new(pid).and_then(|child| child.stat()) {
                    children.push(stat);
                }
            }
        }
        Ok(children)
    }
}

/// Nothing where the process has ended, or is another user's.
fn share_of_memory(process: &Process) -> u64 {
    let Ok(maps) = process.smaps_rollup() else {
        return 0;
    };
    let maps = maps.memory_map_rollup.iter();
    maps.filter_map(|map| map.extension.map.get("Pss")).sum()
}

impl Reading {
    /// Those of its children that ended and were waited for.
    fn add_children(&mut self, stat: &Stat) {
        self.children_user += u64::try_from(stat.cutime).unwrap_or_default();
        self.children_system += u64::try_from(stat.cstime).unwrap_or_default();
    }

    fn since(&self, start: &Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(start.cpu),
            user: self.user.saturating_sub(start.user),
            system: self.system.saturating_sub(start.system),
            children_user: self.children_user.saturating_sub(start.children_user),
            children_system: self.children_system.saturating_sub(start.children_system),
        }
    }

    /// User and system seconds: the exact time, shared as the ticks say.
    #[expect(
        clippy::cast_precision_loss,
        reason = "ticks of 10 ms; no run takes 2^53 of them"
    )]
    fn seconds(&self, ticks_per_second: u64) -> (f64, f64) {
        let cpu = self.cpu.as_secs_f64();
        let ticks = self.user + self.system;
        let user = if ticks == 0 {
            cpu
        } else {
            cpu * self.user as f64 / ticks as f64
        };
        let child = |ticks: u64| ticks as f64 / ticks_per_second as f64;
        (
            user + child(self.children_user),
            cpu - user + child(self.children_system),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Takes that much CPU time, however busy the machine is.
    fn burn(time: Duration) {
        let now = || Duration::from(ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap());
        let end = now() + time;
        while now() < end {}
    }

    #[test]
    fn what_is_burnt_is_counted_and_only_from_the_start_on() {
        burn(Duration::from_millis(30));
        let meter = Meter::of(std::process::id()).unwrap();
        let before = meter.read().unwrap();
        burn(Duration::from_millis(100));
        let after = meter.read().unwrap();

        let seconds = |cost: &ProcessCost| cost.user_seconds + cost.system_seconds;
        assert!(seconds(&before) < seconds(&after));
        assert!(seconds(&after) > 0.1, "{after:?}");
        assert!(after.peak_memory_bytes > 1 << 20, "{after:?}");
    }

    #[test]
    fn children_count_only_where_they_are_asked_for() {
        let (alone, family) = (
            Meter::of(std::process::id()).unwrap(),
            Meter::of_family(std::process::id()).unwrap(),
        );
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        assert!(
            Command::new("sh")
                .args(["-c", busy])
                .status()
                .unwrap()
                .success()
        );

        let (alone, family) = (alone.read().unwrap(), family.read().unwrap());
        assert!(
            family.user_seconds > alone.user_seconds + 0.02,
            "{alone:?} {family:?}"
        );
    }

    #[test]
    fn the_exact_time_is_shared_as_the_ticks_say() {
        let reading = Reading {
            cpu: Duration::from_millis(104),
            user: 3,
            system: 1,
            children_user: 50,
            children_system: 0,
        };

        let (user, system) = reading.seconds(100);

        assert!((user - 0.578).abs() < 1e-9, "{user}");
        assert!((system - 0.026).abs() < 1e-9, "{system}");
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        // Above the highest id that Linux gives out.
        assert!(Meter::of(4_194_305).is_err());
    }
}
