use std::fmt;

/// Figures by their names, as they were found and as they must be. Shown as a table that marks
/// those that differ.
#[derive(Debug)]
pub(crate) struct Comparison(pub(crate) Vec<(&'static str, u64, u64)>);

impl Comparison {
    /// Whether each figure is as it must be.
    pub(crate) fn holds(&self) -> bool {
        self.0.iter().all(|(_, found, expected)| found == expected)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{:<24} {:>12} {:>12}", "", "found", "expected")?;
        for (name, found, expected) in &self.0 {
            let mark = if found == expected {
                ""
            } else {
                "  <-- differs"
            };
            writeln!(f, "{name:<24} {found:>12} {expected:>12}{mark}")?;
        }
        Ok(())
    }
}
