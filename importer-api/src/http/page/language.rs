use axum::http::{HeaderMap, header};

/// A language of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Portuguese,
}

impl Language {
    /// All of them, in the order of their discriminants.
    pub(super) const ALL: [Self; 2] = [Self::English, Self::Portuguese];

    /// Its tag (BCP 47).
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Portuguese => "pt-BR",
        }
    }

    /// Its texts, as JSON.
    pub(super) fn texts(self) -> &'static str {
        match self {
            Self::English => include_str!("../../../page/texts.en.json"),
            Self::Portuguese => include_str!("../../../page/texts.pt-BR.json"),
        }
    }

    /// The language of a tag such as `pt` or `en-GB`.
    pub(super) fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or_default();
        if primary.eq_ignore_ascii_case("pt") {
            Some(Self::Portuguese)
        } else if primary.eq_ignore_ascii_case("en") {
            Some(Self::English)
        } else {
            None
        }
    }

    /// The one that a browser prefers by its `Accept-Language` (RFC 9110,
    /// section 12.5.4); English where it takes neither.
    pub(super) fn preferred(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(header::ACCEPT_LANGUAGE).iter();
        let mut best = (0.0, Self::English);
        for range in accepted
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
        {
            let (tag, weight) = range.split_once(';').unwrap_or((range, ""));
            let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
            let weight = weight.parse().unwrap_or(0.0);
            if let Some(language) = Self::of_tag(tag.trim())
                && weight > best.0
            {
                best = (weight, language);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_that_the_browser_prefers() {
        let preferred = |accepted: &str| {
            let headers =
                HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, accepted.parse().unwrap())]);
            Language::preferred(&headers)
        };
        for portuguese in [
            "pt-BR,pt;q=0.9,en;q=0.8",
            "pt",
            "PT-pt",
            "de, pt;q=0.5, en;q=0.4",
            "en;q=0.1,pt;q=0.2",
        ] {
            assert_eq!(preferred(portuguese), Language::Portuguese, "{portuguese}");
        }
        for english in [
            "en-GB,en;q=0.9,pt;q=0.8",
            "de",
            "*",
            "pt;q=0",
            "ptx",
            "pt;q=x",
            ";;,",
        ] {
            assert_eq!(preferred(english), Language::English, "{english}");
        }
        assert_eq!(Language::preferred(&HeaderMap::new()), Language::English);
    }

    #[test]
    fn each_is_at_its_place() {
        for (place, language) in Language::ALL.into_iter().enumerate() {
            assert_eq!(language as usize, place);
            assert_eq!(Language::of_tag(language.tag()), Some(language));
        }
    }
}
