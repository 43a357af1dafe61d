//! Names of the keys. Those of a debt on one server are the contract's; in a
//! cluster they carry a hash tag, and so do those of an import anywhere, so
//! that one import lives in one slot.

use boleto::AgreementId;
use crc::{CRC_16_XMODEM, Crc};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use uuid::Uuid;

use crate::ledger::Channel;

/// The imports by age: a sorted set whose members are the ids, which sort by
/// time.
pub(super) const IMPORTS: &str = "imports";
/// Set of the imports that nobody has seen at their end.
pub(super) const OPEN_IMPORTS: &str = "imports:open";

/// Set of the imports whose erasure is to be done.
pub(super) const ERASING_IMPORTS: &str = "imports:erasing";

/// Stands while no claims are taken, as another ledger takes its place.
pub(super) const CLOSED: &str = "ledger:closed";

/// The imports that failed lately: a sorted set whose scores are the times,
/// in milliseconds since 1970.
pub(super) const FAILED_IMPORTS: &str = "imports:failed";

/// What all keys begin with that say what webhooks are told of, in one slot.
pub(super) const WEBHOOKS: &str = "webhooks:{events}";

/// What the name of a spool does not have in a key: braces would be a hash tag
/// of their own.
const ENCODED: AsciiSet = CONTROLS.add(b' ').add(b'"').add(b'%').add(b'{').add(b'}');

/// What the keys of some debts share, so that one command takes them.
pub(super) type Tag = &'static str;

/// Their slots are as far from one another as can be, so that any number of
/// shards has its part of the debts.
const TAGS: [Tag; 16] = [
    "{b00nk}:", "{b01ok}:", "{b02lk}:", "{b03mk}:", "{b04jk}:", "{b05kk}:", "{b06hk}:", "{b07ik}:",
    "{b08vo}:", "{b09wo}:", "{b10ka}:", "{b11ze}:", "{b12hg}:", "{b13ig}:", "{b14oa}:", "{b15na}:",
];

/// Tells the debts apart, as Redis does the slots.
const HASH: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// How the keys of debts are named. A cluster takes no command whose keys are
/// of several slots; each debt has one of 16 tags there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    OfServer,
    OfCluster,
}

/// Debts whose keys one command takes.
pub(super) struct Group {
    pub(super) tag: Tag,
    /// Their places in the batch, in their order.
    pub(super) indices: Vec<usize>,
}

impl Keys {
    /// All tags: on one server it is none.
    pub(super) fn tags(self) -> &'static [Tag] {
        match self {
            Self::OfServer => &[""],
            Self::OfCluster => &TAGS,
        }
    }

    fn tag(self, debt_id: &str) -> Tag {
        let tags = self.tags();
        match tags {
            [tag] => tag,
            _ => tags[usize::from(HASH.checksum(debt_id.as_bytes())) % tags.len()],
        }
    }

    /// The debts of a batch by their tags, at most so many in a group.
    pub(super) fn groups<'a>(
        self,
        debt_ids: impl IntoIterator<Item = &'a str>,
        most: usize,
    ) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (index, debt_id) in debt_ids.into_iter().enumerate() {
            let tag = self.tag(debt_id);
            let mut open = groups.iter_mut().rev();
            match open.find(|group| group.tag == tag && group.indices.len() < most) {
                Some(group) => group.indices.push(index),
                None => groups.push(Group {
                    tag,
                    indices: vec![index],
                }),
            }
        }
        groups
    }

    /// The debt is billed; the value is its claim.
    pub(super) fn processed(self, debt_id: &str) -> String {
        format!("processed:{}{debt_id}", self.tag(debt_id))
    }

    /// What the keys of the claims of the debts with that tag begin with.
    pub(super) fn claims_of_tag(tag: Tag) -> String {
        format!("processed:{tag}")
    }

    /// The debt's notification was accepted by SNS.
    pub(super) fn notification(self, debt_id: &str) -> String {
        format!("notification:{}{debt_id}", self.tag(debt_id))
    }

    /// The debt's message on a channel: being sent, sent, or undeliverable.
    pub(super) fn send(self, channel: Channel, debt_id: &str) -> String {
        let (space, name) = (space(channel), channel.stored());
        format!("{space}{name}:{}{debt_id}", self.tag(debt_id))
    }

    /// Set: the attempts that have sent the debt's message, and of which
    /// nobody knows whether it was taken.
    pub(super) fn unknown(self, channel: Channel, debt_id: &str) -> String {
        let (space, name) = (space(channel), channel.stored());
        format!("{space}{name}-unknown:{}{debt_id}", self.tag(debt_id))
    }

    /// Written to see whether Redis takes writes, each shard of it; nobody
    /// reads it.
    pub(super) fn ready(self) -> impl Iterator<Item = String> {
        let tags = self.tags().iter();
        tags.map(|tag| format!("ready:{tag}").trim_end_matches(':').to_owned())
    }
}

/// The answers for the debts of a batch in its order.
pub(super) fn in_order<T>(answers: impl IntoIterator<Item = (Group, Vec<T>)>) -> Vec<T> {
    let mut all: Vec<(usize, T)> = answers
        .into_iter()
        .flat_map(|(group, answers)| group.indices.into_iter().zip(answers))
        .collect();
    all.sort_unstable_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, answer)| answer).collect()
}

/// Stands for as long as the attempt `owner` may send the messages with that
/// tag that it has claimed.
pub(super) fn lease(channel: Channel, tag: Tag, owner: Uuid) -> String {
    format!("{}{owner}", leases(channel, tag))
}

/// What the keys of a channel's leases begin with.
pub(super) fn leases(channel: Channel, tag: Tag) -> String {
    format!("{}{}-lease:{tag}", space(channel), channel.stored())
}

/// Keeps the names of further channels, and of e-mails to another address, from
/// being those of other keys.
fn space(channel: Channel) -> &'static str {
    if channel == Channel::MAIL {
        ""
    } else {
        "channel:"
    }
}

/// Hash: the file of an import, and how far it is.
pub(super) fn import(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:info")
}

/// Set: the clients that have imports in a spool which are to be carried. What
/// is listed of one spool is in one slot.
pub(super) fn carried_clients(spool: &str) -> String {
    let spool = utf8_percent_encode(spool, &ENCODED);
    format!("imports:carry:{{{spool}}}")
}

/// Sorted set: those imports of a client, each with the time at which its lease
/// ends, in milliseconds since 1970; 0 where it waits for a carrier.
pub(super) fn carried(spool: &str, client: &str) -> String {
    format!("{}:{client}", carried_clients(spool))
}

/// Bitmap of the rows of which that is true; bit = row number.
pub(super) fn bitmap(import_id: Uuid, name: &str) -> String {
    format!("import:{{{import_id}}}:{name}")
}

/// Set: the further channels that have sent for an import.
pub(super) fn channels(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:channels")
}

/// Bitmaps of the rows whose message on that channel was sent, and of those
/// whose message can never be delivered.
pub(super) fn channel_rows(import_id: Uuid, channel: &str) -> [String; 2] {
    ["sent", "undeliverable"].map(|end| format!("import:{{{import_id}}}:channel:{channel}:{end}"))
}

/// Sorted set: the rows whose e-mail is put off, until when in Unix seconds.
pub(super) fn put_off(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:put-off")
}

/// String with one byte a row: the number of the reason that its e-mail is put
/// off for.
pub(super) fn put_off_reasons(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:put-off-reasons")
}

/// String with one byte a row: the number of its reason, 0 for none.
pub(super) fn reasons(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:reasons")
}

/// Hash: the reasons of an import, and the number of each.
pub(super) fn reason_numbers(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:reason-numbers")
}

/// Set: the ends of messages that were taken back, each as its row and its mark.
pub(super) fn reopened(import_id: Uuid) -> String {
    format!("import:{{{import_id}}}:reopened")
}

/// Last number given out of a sequence.
pub(super) fn sequence(name: &str) -> String {
    format!("sequence:{name}")
}

/// An issuer's agreement with its bank, as JSON.
pub(super) fn agreement(id: AgreementId) -> String {
    format!("agreement:{id}")
}

/// What an idempotency key stands for. The key itself may be long.
pub(super) fn idempotency(key: &str) -> String {
    format!("idempotency:{key}")
}

#[cfg(test)]
mod tests {
    use redis::cluster_routing::Slot;

    use super::*;

    #[test]
    fn the_keys_of_e_mails_are_what_they_were_before_other_channels() {
        let (keys, owner) = (Keys::OfServer, Uuid::nil());
        let of = |channel| {
            [
                keys.send(channel, "7"),
                lease(channel, keys.tags()[0], owner),
                keys.unknown(channel, "7"),
            ]
        };
        let mail = [
            "mail:7".to_owned(),
            format!("mail-lease:{owner}"),
            "mail-unknown:7".to_owned(),
        ];
        assert_eq!(of(Channel::MAIL), mail);
        // Whatever its name is, no other key begins so.
        let other = of(Channel::new("processed"));
        assert_eq!(
            other,
            mail.clone()
                .map(|key| key.replace("mail", "channel:processed"))
        );
        // Nor is an e-mail to another address that of a channel.
        let changed = of(Channel::mail(2));
        assert_eq!(
            changed,
            mail.map(|key| key.replace("mail", "channel:mail.2"))
        );
    }

    #[test]
    fn on_one_server_nothing_has_a_tag() {
        let keys = Keys::OfServer;
        assert_eq!(keys.processed("{a}"), "processed:{a}");
        assert_eq!(keys.ready().collect::<Vec<_>>(), ["ready"]);
        let groups = keys.groups(["a", "b", "a"], 2);
        let indices: Vec<_> = groups.into_iter().map(|group| group.indices).collect();
        assert_eq!(indices, [vec![0, 1], vec![2]]);
    }

    #[test]
    fn what_is_listed_of_a_spool_is_in_one_slot_whatever_its_name_is() {
        for spool in ["s3://files/imports", "node:{é} \"1\"", "}{", "{}", "%7B"] {
            let slot = Slot::for_key(carried_clients(spool));
            for client in ["", "a", "{b}", "é }"] {
                assert!(
                    Slot::for_key(carried(spool, client)) == slot,
                    "{spool} {client}"
                );
            }
        }
        assert_ne!(carried_clients("{"), carried_clients("%7B"));
        let plain = carried("s3://files", "a");
        assert_eq!(plain, "imports:carry:{s3://files}:a");
    }

    #[test]
    fn in_a_cluster_all_that_a_command_names_is_of_one_slot() {
        let keys = Keys::OfCluster;
        let debt_ids: Vec<String> = (0..1_000).map(|debt| format!("{{{debt}}}é")).collect();
        let groups = keys.groups(debt_ids.iter().map(String::as_str), usize::MAX);
        assert_eq!(groups.len(), 16);
        for group in &groups {
            assert!((30..100).contains(&group.indices.len()));
            let slot = Slot::for_key(lease(Channel::MAIL, group.tag, Uuid::nil()));
            for index in &group.indices {
                let debt_id = &debt_ids[*index];
                for key in [
                    keys.processed(debt_id),
                    keys.notification(debt_id),
                    keys.send(Channel::MAIL, debt_id),
                    keys.unknown(Channel::MAIL, debt_id),
                ] {
                    assert!(Slot::for_key(&key) == slot, "{key}");
                }
            }
        }
        let answers = groups.into_iter().map(|group| {
            let indices = group.indices.clone();
            (group, indices)
        });
        assert!(in_order(answers).into_iter().eq(0..1_000));
    }

    #[test]
    fn the_slots_of_the_tags_are_spread_over_any_number_of_shards() {
        let slot = |tag: &Tag| HASH.checksum(tag.trim_matches(['{', '}', ':']).as_bytes()) % 16_384;
        for shards in 1..=16_u16 {
            let mut of_shard = vec![0_u16; shards.into()];
            for tag in &TAGS {
                let shard = u32::from(slot(tag)) * u32::from(shards) / 16_384;
                of_shard[usize::try_from(shard).unwrap()] += 1;
            }
            let (least, most) = (of_shard.iter().min(), of_shard.iter().max());
            assert!(most.unwrap() - least.unwrap() <= 1, "{of_shard:?}");
        }
    }
}
