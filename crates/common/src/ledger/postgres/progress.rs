//! The counts of an import, kept in the statement that writes what they count.

/// The part of a statement that adds counts to those of each import in a
/// relation with the column `import_id`. It comes last of what a statement
/// writes, so that the order of locks is the same for all.
macro_rules! count {
    (from $of:expr, $first:literal += $figure:literal $(, $column:literal += $further:literal)*) => {
        concat!(
            "INSERT INTO progress AS p (import_id, slot, ", $first, $(", ", $column,)* ")
             SELECT import_id, pg_backend_pid() % 256, ", $figure, $(", ", $further,)* "
             FROM ", $of, " AS fresh GROUP BY import_id ORDER BY import_id
             ON CONFLICT (import_id, slot) DO UPDATE
             SET ", $first, " = p.", $first, " + excluded.", $first,
             $(", ", $column, " = p.", $column, " + excluded.", $column,)* " "
        )
    };
}

pub(super) use count;
