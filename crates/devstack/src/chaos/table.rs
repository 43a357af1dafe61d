//! The figures as a Markdown table, a row as soon as its run has ended.

use std::io::{self, Write};

use super::{Scenario, verification::Figures};

/// Prints rows, and remembers what is off.
#[derive(Debug)]
pub(super) struct Table<W> {
    out: W,
    problems: Vec<String>,
}

impl<W: Write> Table<W> {
    /// Prints the head.
    pub(super) fn new(mut out: W) -> io::Result<Self> {
        writeln!(
            out,
            "| fault | rows | lost | billed twice | mailed twice | seconds |\n\
             | --- | ---: | ---: | ---: | ---: | ---: |"
        )?;
        Ok(Self {
            out,
            problems: Vec::new(),
        })
    }

    /// Prints a row.
    pub(super) fn add(&mut self, scenario: Scenario, figures: &Figures) -> io::Result<()> {
        let title = scenario.title();
        let allowed = match figures.may_be_mailed_twice {
            0 => String::new(),
            most => format!(" (at most {most})"),
        };
        let went_on = figures.went_on_after.map_or_else(String::new, |after| {
            format!(": all on their way {:.1} s later", after.as_secs_f64())
        });
        writeln!(
            self.out,
            "| {title}{went_on} | {} | {} | {} | {}{allowed} | {:.0} |",
            figures.rows,
            figures.lost,
            figures.billed_twice,
            figures.mailed_twice,
            figures.taken.as_secs_f64(),
        )?;
        let problems = figures.problems().into_iter();
        self.problems
            .extend(problems.map(|problem| format!("- {title}: {problem}")));
        self.out.flush()
    }

    /// A line for each figure that is off.
    pub(super) fn problems(&self) -> &[String] {
        &self.problems
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_is_markdown_and_tells_of_what_is_off() {
        let fine = Figures {
            rows: 20_000,
            lost: 0,
            billed_twice: 0,
            mailed_twice: 12,
            may_be_mailed_twice: 160,
            left: 0,
            dead: 0,
            unclean: Vec::new(),
            taken: Duration::from_millis(61_400),
            went_on_after: None,
        };
        let broken = Figures {
            lost: 3,
            may_be_mailed_twice: 0,
            ..fine.clone()
        };
        let moved = Figures {
            went_on_after: Some(Duration::from_millis(1_240)),
            ..fine.clone()
        };
        let mut text = Vec::new();

        let mut table = Table::new(&mut text).unwrap();
        table.add(Scenario::MailKilled, &fine).unwrap();
        table.add(Scenario::SnsDown, &broken).unwrap();
        table.add(Scenario::RedisSilent, &moved).unwrap();

        let problems = table.problems().join("\n");
        let text = String::from_utf8(text).unwrap();
        insta::assert_snapshot!(format!("{text}\n{problems}"));
    }
}
