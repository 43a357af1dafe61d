//! A message as an operator may see it.

use std::fmt;

use common::messaging::Delivery;
use contract::masking::{masked_document, masked_email, masked_name, printable};
use contract::{ReceivedNotification, read_records};

/// One line on a message of either work queue, with personal data masked.
pub(crate) struct Masked<'a>(pub(crate) &'a Delivery);

impl fmt::Display for Masked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Delivery {
            id,
            body,
            row,
            // Personal data, and nothing that tells whose the message is.
            columns: _,
            receive_count,
            put_off,
            trace: _,
        } = self.0;
        let mut of = *row;
        if let Ok(received) = ReceivedNotification::read(body, *row) {
            of = received.row;
            let told = received.notification;
            write_debtor(
                f,
                &told.debt_id,
                &told.name,
                &told.email,
                &told.government_id,
            )?;
        } else {
            let mut records = read_records(body);
            if let Some(Ok(record)) = records.next() {
                write_debtor(
                    f,
                    &record.debt_id,
                    &record.name,
                    &record.email,
                    &record.government_id,
                )?;
            } else {
                let bytes = body.len();
                write!(
                    f,
                    "message {}: cannot be read, {bytes} bytes",
                    printable(id)
                )?;
            }
            match records.count() {
                0 => {}
                1 => f.write_str(", and 1 row more")?,
                more => write!(f, ", and {more} rows more")?,
            }
        }
        match of {
            Some(row) => write!(f, ", import {} row {}", row.import_id, row.row)?,
            None => f.write_str(", no row of an import")?,
        }
        write!(f, ", received {receive_count} {}", times(*receive_count))?;
        if *put_off > 0 {
            write!(f, ", put off {put_off} {}", times(*put_off))?;
        }
        Ok(())
    }
}

fn times(count: u32) -> &'static str {
    if count == 1 { "time" } else { "times" }
}

fn write_debtor(
    f: &mut fmt::Formatter<'_>,
    debt_id: &str,
    name: &str,
    email: &str,
    document: &str,
) -> fmt::Result {
    write!(
        f,
        "debt {}: {}, {}, document {}",
        printable(debt_id),
        masked_name(name),
        masked_email(email),
        masked_document(document),
    )
}

#[cfg(test)]
mod tests {
    use contract::RowId;

    use super::*;

    const RECORD: &str = "John Silva,12345678909,john@example.com,7811,2024-01-19,debt-1";
    const NOTIFICATION: &str = r#"{"name":"John Silva","government_id":"12345678909","email":"john@example.com","debt_amount":1.00,"debt_due_date":"2027-03-15","debt_id":"debt-1"}"#;
    const DEBTOR: &str = "debt debt-1: J*** S***, j***@example.com, document ***09";

    fn shown(body: &str, row: Option<RowId>, put_off: u32) -> String {
        let delivery = Delivery {
            id: "m-1".into(),
            body: body.into(),
            row,
            columns: None,
            receive_count: 5,
            put_off,
            trace: None,
        };
        Masked(&delivery).to_string()
    }

    #[test]
    fn a_record_and_both_forms_of_a_notification_are_masked_alike() {
        let import_id = "00000000-0000-0000-0000-000000000007".parse().unwrap();
        let row = Some(RowId { import_id, row: 42 });
        let line = format!("{DEBTOR}, import {import_id} row 42, received 5 times");
        assert_eq!(shown(RECORD, row, 0), line);
        assert_eq!(shown(NOTIFICATION, row, 0), line);
        let put_off = format!("{line}, put off 12 times");
        assert_eq!(shown(NOTIFICATION, row, 12), put_off);
        for (more, records) in [("1 row", 2), ("9 rows", 10)] {
            let body = [RECORD].repeat(records).join("\n");
            let line =
                format!("{DEBTOR}, and {more} more, import {import_id} row 42, received 5 times");
            assert_eq!(shown(&body, row, 0), line);
        }
        let message = NOTIFICATION.replace('"', "\\\"");
        let envelope = format!(
            r#"{{"Type":"Notification","Message":"{message}","MessageAttributes":{{"import_id":{{"Type":"String","Value":"{import_id}"}},"row":{{"Type":"Number","Value":"42"}}}}}}"#
        );
        assert_eq!(shown(&envelope, None, 0), line);
    }

    #[test]
    fn what_cannot_be_read_shows_nothing_of_itself() {
        for body in ["", "john@example.com", "{\"name\":\"John\"}", "a,b,c,d,e,f"] {
            let line = shown(body, None, 0);
            let bytes = body.len();
            assert_eq!(
                line,
                format!(
                    "message m-1: cannot be read, {bytes} bytes, no row of an import, received 5 times"
                )
            );
        }
    }
}
