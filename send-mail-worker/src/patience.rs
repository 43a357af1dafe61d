//! How long an e-mail is tried that the server does not take yet.

use std::borrow::Cow;
use std::time::Duration;

use contract::Reason;

/// The reason of an e-mail that was put off for too long.
pub const PUT_OFF_TOO_LONG: Reason = Reason {
    code: Cow::Borrowed("mail_put_off_too_long"),
    text: Cow::Borrowed("the mail server has not taken the e-mail for five days"),
};

/// The reason of an e-mail of which nobody knows whether it was taken, after
/// it was tried once more.
pub const OUTCOME_UNKNOWN: Reason = Reason {
    code: Cow::Borrowed("mail_outcome_unknown"),
    text: Cow::Borrowed(
        "the mail server may have taken the e-mail: twice it was sent and no answer came",
    ),
};

/// The reason of an e-mail that is sent once more, as nobody knows whether it
/// was taken.
pub const UNANSWERED: Reason = Reason {
    code: Cow::Borrowed("mail_unanswered"),
    text: Cow::Borrowed("no answer came to the e-mail, which is sent once more"),
};

/// Part of a wait that is added to it at most, at random, so that what was put
/// off together does not come back together.
const JITTER: f64 = 0.1;

/// When an e-mail that was put off is tried again, and how often.
#[derive(Clone, Debug)]
pub struct Patience {
    /// The waits one after another; the last one again and again.
    pub waits: Vec<Duration>,
    /// Most waits.
    pub most: u32,
}

/// 1, 5, 15 and then 60 minutes, 121 times: five days. RFC 5321, section
/// 4.5.4.1, asks for four to five days at least.
impl Default for Patience {
    fn default() -> Self {
        Self {
            waits: [1, 5, 15, 60].map(Duration::from_mins).to_vec(),
            most: 121,
        }
    }
}

impl Patience {
    /// The wait of an e-mail that was put off that often before; `None` where
    /// it was put off for too long.
    pub fn wait_after(&self, put_off: u32) -> Option<Duration> {
        if put_off >= self.most {
            return None;
        }
        let nth = usize::try_from(put_off).ok()?;
        let wait = self.waits.get(nth).or(self.waits.last())?;
        Some(wait.mul_f64(1.0 + JITTER * fastrand::f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_e_mail_is_tried_for_five_days() {
        let patience = Patience::default();
        let minutes = |put_off| {
            patience
                .wait_after(put_off)
                .map(|wait| wait.as_secs_f64() / 60.0)
        };
        for (put_off, least) in [(0, 1.0), (1, 5.0), (2, 15.0), (3, 60.0), (120, 60.0)] {
            let wait = minutes(put_off).unwrap();
            assert!((least..=least * 1.1).contains(&wait), "{wait} of {least}");
        }
        assert_eq!(minutes(121), None);
        assert_eq!(minutes(u32::MAX), None);
        let all: f64 = (0..121).filter_map(minutes).sum();
        let days = all / 60.0 / 24.0;
        assert!((4.9..5.5).contains(&days), "{days}");
    }

    #[test]
    fn what_was_put_off_together_does_not_come_back_together() {
        let patience = Patience::default();
        let waits: Vec<_> = (0..20).map(|_| patience.wait_after(3)).collect();
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }
}
