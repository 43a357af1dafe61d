use procfs::process::{LimitValue, Process};
use procfs::{ProcResult, boot_time_secs, page_size, ticks_per_second};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Counter, IntGauge};

/// What this process takes of the machine, read from `/proc` at each scrape,
/// by the names that Prometheus' own clients use. The collector of the
/// `prometheus` crate counts CPU in whole seconds, which hides what an idle
/// service takes.
#[derive(Debug)]
pub(super) struct ProcessMetrics {
    cpu: Counter,
    resident: IntGauge,
    open_files: IntGauge,
    most_files: IntGauge,
    threads: IntGauge,
    started: IntGauge,
}

impl ProcessMetrics {
    pub(super) fn new() -> prometheus::Result<Self> {
        let metrics = Self {
            cpu: Counter::new(
                "process_cpu_seconds_total",
                "CPU time of the process, in its program and in the kernel for it.",
            )?,
            resident: IntGauge::new(
                "process_resident_memory_bytes",
                "Memory of the process that is in RAM.",
            )?,
            open_files: IntGauge::new(
                "process_open_fds",
                "Open file descriptors; connections are among them.",
            )?,
            most_files: IntGauge::new(
                "process_max_fds",
                "Most file descriptors that the process may have open.",
            )?,
            threads: IntGauge::new("process_threads", "Threads of the process.")?,
            started: IntGauge::new(
                "process_start_time_seconds",
                "When the process started, in seconds since 1970.",
            )?,
        };
        // Once: the kernel's idea of when it booted moves with the clock, and
        // that would look like a restart.
        if let Ok(started) = started() {
            set(&metrics.started, started);
        }
        Ok(metrics)
    }

    fn read(&self) -> ProcResult<()> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let ticks = ticks_per_second();
        // Another scrape may have been faster.
        let more = seconds(stat.utime + stat.stime, ticks) - self.cpu.get();
        self.cpu.inc_by(more.max(0.0));
        set(&self.resident, stat.rss * page_size());
        self.threads.set(stat.num_threads);
        set(&self.open_files, process.fd_count()? as u64);
        if let LimitValue::Value(most) = process.limits()?.max_open_files.soft_limit {
            set(&self.most_files, most);
        }
        Ok(())
    }

    fn all(&self) -> [&dyn Collector; 6] {
        [
            &self.cpu,
            &self.resident,
            &self.open_files,
            &self.most_files,
            &self.threads,
            &self.started,
        ]
    }
}

impl Collector for ProcessMetrics {
    fn desc(&self) -> Vec<&Desc> {
        let all = self.all().into_iter();
        all.flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // What cannot be read keeps its last value.
        let _ = self.read();
        let all = self.all().into_iter();
        all.flat_map(Collector::collect).collect()
    }
}

/// When this process started, in seconds since 1970.
fn started() -> ProcResult<u64> {
    let ticks = Process::myself()?.stat()?.starttime;
    Ok(boot_time_secs()? + ticks / ticks_per_second())
}

fn set(gauge: &IntGauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact for more ticks than a process lives"
)]
fn seconds(ticks: u64, a_second: u64) -> f64 {
    ticks as f64 / a_second as f64
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_figures_are_those_of_this_process() {
        let metrics = ProcessMetrics::new().unwrap();
        metrics.read().unwrap();
        let before = metrics.cpu.get();
        let mut sum = 0_u64;
        while metrics.cpu.get() < before + 0.05 {
            sum = (0..100_000).fold(sum, |sum, number| std::hint::black_box(sum ^ number));
            metrics.read().unwrap();
        }
        assert!(metrics.resident.get() > 1 << 20);
        assert!(metrics.open_files.get() >= 3);
        assert!(metrics.most_files.get() >= metrics.open_files.get());
        assert!(metrics.threads.get() >= 1);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let age = i64::try_from(now.as_secs()).unwrap() - metrics.started.get();
        assert!((-1..3_600).contains(&age), "{age}");
    }
}
