use std::fmt::Display;

use aws_config::meta::region::ProvideRegion;
use aws_config::profile::region::ProfileFileRegionProvider;

use crate::runtime::{SettingError, wrong};

/// The region where nothing names one.
const DEFAULT: &str = "us-east-1";

/// A region that was set, and where.
#[derive(Clone, Debug)]
pub(super) struct SetRegion {
    pub(super) name: &'static str,
    pub(super) region: String,
}

impl SetRegion {
    /// Refuses a resource of another region: each call would be signed for the
    /// wrong one, and refused.
    pub(super) fn must_be(
        &self,
        region: &str,
        resource_name: &str,
        resource: &impl Display,
    ) -> Result<(), SettingError> {
        if self.region == region {
            return Ok(());
        }
        let takes = format!("{region}, the region of {resource_name} {resource}");
        Err(wrong(self.name, &self.region, &takes))
    }
}

/// The region of a variable, or else of the profile.
pub(super) async fn set_region(by_variable: Option<SetRegion>, profile: &str) -> Option<SetRegion> {
    if by_variable.is_some() {
        return by_variable;
    }
    let profile = ProfileFileRegionProvider::builder().profile_name(profile);
    let region = profile.build().region().await?;
    Some(SetRegion {
        name: "the region of the AWS profile",
        region: region.to_string(),
    })
}

/// The region that was set, or else that of a resource.
pub(super) fn region_for(set: Option<&SetRegion>, of_resource: Option<&str>) -> String {
    let set = set.map(|set| set.region.as_str());
    set.or(of_resource).unwrap_or(DEFAULT).to_owned()
}
