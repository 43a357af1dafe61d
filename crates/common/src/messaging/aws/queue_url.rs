use std::fmt;
use std::str::FromStr;

use aws_config::SdkConfig;

use super::FIFO;

/// Domains of AWS's own endpoints, and whether they are the dual-stack ones:
/// <https://docs.aws.amazon.com/general/latest/gr/sqs-service.html> and the
/// partitions that the SDKs know.
const DOMAINS: [(&str, bool); 9] = [
    (".amazonaws.com", false),
    (".amazonaws.com.cn", false),
    (".amazonaws.eu", false),
    (".api.aws", true),
    (".api.amazonwebservices.com.cn", true),
    (".c2s.ic.gov", false),
    (".sc2s.sgov.gov", false),
    (".cloud.adc-e.uk", false),
    (".csp.hci.ic.gov", false),
];

/// The URL of a standard queue, and what its host says of where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueUrl {
    text: String,
    host: Host,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    /// AWS's own endpoint of a region, which the SDK knows.
    Public {
        region: String,
        fips: bool,
        dual_stack: bool,
    },
    /// A VPC's endpoint of a region, which only the URL names.
    Private { region: String },
    /// An emulator, or a name of somebody's own.
    Other,
}

impl QueueUrl {
    /// What a variable that holds one takes.
    pub const TAKES: &str = "the URL of a standard queue, such as http://localhost:4566/000000000000/data-process; \
         a .fifo queue delays no message, and needs a group with each, which the suite does not give";

    /// The region, where AWS's own host names it.
    pub(super) fn region(&self) -> Option<&str> {
        match &self.host {
            Host::Public { region, .. } | Host::Private { region } => Some(region),
            Host::Other => None,
        }
    }

    /// Scheme, host and port, where the SDK cannot know them.
    pub(super) fn endpoint(&self) -> Option<String> {
        let host = self.text.find("://")? + 3;
        let path = self.text[host..]
            .find('/')
            .unwrap_or(self.text.len() - host);
        let is_public = matches!(self.host, Host::Public { .. });
        (!is_public).then(|| self.text[..host + path].to_owned())
    }

    /// The configuration with the kind of endpoint that the URL names.
    pub(super) fn variant_of(&self, sdk: SdkConfig) -> SdkConfig {
        let Host::Public {
            fips, dual_stack, ..
        } = self.host
        else {
            return sdk;
        };
        let fips = fips.then_some(true).or(sdk.use_fips());
        let dual_stack = dual_stack.then_some(true).or(sdk.use_dual_stack());
        let mut sdk = sdk.into_builder();
        sdk.set_use_fips(fips).set_use_dual_stack(dual_stack);
        sdk.build()
    }
}

/// Not the URL of a standard queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {takes}", takes = QueueUrl::TAKES)]
pub struct NoQueueUrl;

impl FromStr for QueueUrl {
    type Err = NoQueueUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: http::Uri = text.parse().map_err(|_| NoQueueUrl)?;
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri.host().filter(|host| !host.is_empty());
        match host {
            Some(host) if is_http && !uri.path().ends_with(FIFO) => Ok(Self {
                text: text.to_owned(),
                host: Host::of(&host.to_ascii_lowercase()),
            }),
            _ => Err(NoQueueUrl),
        }
    }
}

impl fmt::Display for QueueUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Host {
    fn of(host: &str) -> Self {
        let domain = DOMAINS
            .iter()
            .find_map(|(domain, dual_stack)| Some((host.strip_suffix(domain)?, *dual_stack)));
        let Some((labels, dual_stack)) = domain else {
            return Self::Other;
        };
        let labels: Vec<_> = labels.split('.').collect();
        let (region, fips) = match labels[..] {
            ["sqs-fips", region] => (region, true),
            // The first names of SQS, which old settings still hold, end in `queue`.
            ["sqs", region] | [region, "queue"] => (region, false),
            ["queue"] => ("us-east-1", false),
            [.., "sqs", region, "vpce"] => {
                let region = region.to_owned();
                return Self::Private { region };
            }
            _ => return Self::Other,
        };
        Self::Public {
            region: region.to_owned(),
            fips,
            dual_stack,
        }
    }
}
