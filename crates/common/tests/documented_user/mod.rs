//! The user of Redis whose rights docs/SETTINGS.md lists.

use testkit::RedisServer;

/// Its password; some of it has to be encoded in a URL.
pub(crate) const PASSWORD: &str = "s3cret@/:?#%é";
pub(crate) const ENCODED: &str = "s3cret%40%2F%3A%3F%23%25%C3%A9";

/// Its name, and the rules that an operator gives to `ACL SETUSER`.
pub(crate) fn documented_user() -> (String, String) {
    let docs = include_str!("../../../../docs/SETTINGS.md");
    let block = docs.split("ACL SETUSER ").nth(1).unwrap();
    let rules = block.split("```").next().unwrap();
    let rules = rules.split_whitespace().collect::<Vec<_>>().join(" ");
    let (name, rules) = rules.split_once(' ').unwrap();
    (name.to_owned(), rules.replace(">PASSWORD", ""))
}

/// Makes the user known, with further rules, and gives its login as a URL has it.
pub(crate) async fn set_user(server: &RedisServer, further: &str) -> String {
    let (name, rules) = documented_user();
    // In quotes, as the command is one line.
    let quoted = PASSWORD.replace('é', "\\xc3\\xa9");
    let rules = format!("reset {rules} \">{quoted}\" {further}");
    server.set_user(&name, &rules).await.unwrap();
    format!("{name}:{ENCODED}")
}
