//! The agreements that boletos were issued under.

use boleto::Agreement;
use common::ledger::{Agreements, Ledger};

fn another() -> Agreement {
    let json = Agreement::demonstration().to_json();
    Agreement::from_json(&json.replace("São Paulo", "Santos")).unwrap()
}

/// However often it was kept, and beside others.
pub async fn an_agreement_is_given_back_as_it_was_kept<L: Ledger>(ledger: &L) {
    let (one, other) = (Agreement::demonstration(), another());
    for agreement in [&one, &other, &one] {
        ledger.keep_agreement(agreement).await.unwrap();
    }
    for agreement in [&one, &other] {
        let kept = ledger.agreement(agreement.id()).await.unwrap();
        assert_eq!(kept.as_ref(), Some(agreement));
    }
}

/// Nor is its absence remembered.
pub async fn an_agreement_that_nobody_kept_is_none<L: Ledger>(ledger: &L) {
    let agreement = another();
    let agreements = Agreements::new(ledger.clone());
    assert!(agreements.get(agreement.id()).await.unwrap().is_none());
    ledger.keep_agreement(&agreement).await.unwrap();
    let kept = agreements.get(agreement.id()).await.unwrap();
    assert_eq!(kept.as_deref(), Some(&agreement));
}
