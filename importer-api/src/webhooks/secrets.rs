use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use thiserror::Error;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Least and most bytes of a key.
/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#signature-scheme>
const LEAST: usize = 24;
const MOST: usize = 64;
/// Least different bytes of a key: a random one of 24 has fewer once in
/// more than 10^15.
const DIFFERENT: usize = 10;

/// Why a secret cannot be used. It does not tell the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnfitSecret {
    /// It is not marked as one.
    #[error("one of them does not begin with whsec_")]
    Prefix,
    /// It is no base64.
    #[error("what follows whsec_ is not base64")]
    Base64,
    /// It is too short or too long.
    #[error("a key has {0} bytes, and takes from 24 to 64")]
    Length(usize),
    /// It repeats a few bytes.
    #[error("a key is too regular to be random")]
    Weak,
}

/// What events are signed with. Each key gives a signature of its own, so that
/// one can be replaced.
#[derive(Clone)]
pub(super) struct SigningSecrets(Vec<Hmac<Sha256>>);

impl SigningSecrets {
    /// What a variable takes that holds them.
    pub(super) const TAKES: &str =
        "whsec_ and 24 to 64 random bytes in base64, or several of these with blanks between them";

    pub(super) fn parse(text: &str) -> Result<Self, UnfitSecret> {
        let keys = text.split_whitespace().map(key);
        keys.collect::<Result<_, _>>().map(Self)
    }

    /// The signatures of what is sent, as the header has them. `timestamp` is in
    /// Unix seconds.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let signatures = self.0.iter().map(|key| {
            let mut mac = key.clone();
            mac.update(format!("{id}.{timestamp}.").as_bytes());
            mac.update(body.as_bytes());
            let signature = STANDARD.encode(mac.finalize().into_bytes());
            format!("v1,{signature}")
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

fn key(secret: &str) -> Result<Hmac<Sha256>, UnfitSecret> {
    let base64 = secret.strip_prefix(PREFIX).ok_or(UnfitSecret::Prefix)?;
    let key = STANDARD.decode(base64).map_err(|_| UnfitSecret::Base64)?;
    if !(LEAST..=MOST).contains(&key.len()) {
        return Err(UnfitSecret::Length(key.len()));
    }
    let mut bytes = key.clone();
    bytes.sort_unstable();
    bytes.dedup();
    if bytes.len() < DIFFERENT {
        return Err(UnfitSecret::Weak);
    }
    Hmac::new_from_slice(&key).map_err(|_| UnfitSecret::Length(key.len()))
}

impl std::fmt::Debug for SigningSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of the tests of the reference libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn a_signature_is_that_of_the_reference_libraries() {
        let secrets = SigningSecrets::parse(SECRET).unwrap();
        let signature = secrets.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_gives_a_signature() {
        let other = format!("whsec_{}", STANDARD.encode((0..64).collect::<Vec<u8>>()));
        let [first, second, both] = [SECRET, &other, &format!(" {SECRET}\t {other} ")]
            .map(|text| SigningSecrets::parse(text).unwrap().sign("a", 1, "b"));
        assert_eq!(both, format!("{first} {second}"));
        assert_ne!(first, second);
    }

    #[test]
    fn a_secret_that_could_be_guessed_is_refused() {
        let of = |bytes: Vec<u8>| format!("whsec_{}", STANDARD.encode(bytes));
        for (text, why) in [
            (SECRET[6..].to_owned(), UnfitSecret::Prefix),
            (format!("{SECRET} secret"), UnfitSecret::Prefix),
            ("whsec_secret!".to_owned(), UnfitSecret::Base64),
            ("whsec_".to_owned(), UnfitSecret::Length(0)),
            (of((0..23).collect()), UnfitSecret::Length(23)),
            (of((0..65).collect()), UnfitSecret::Length(65)),
            (of(vec![0; 32]), UnfitSecret::Weak),
            (of(b"abcabcabcabcabcabcabcabc".to_vec()), UnfitSecret::Weak),
        ] {
            assert_eq!(SigningSecrets::parse(&text).unwrap_err(), why);
        }
    }
}
