use std::sync::{Arc, PoisonError, RwLock};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::{Result as Provided, future};
use aws_sdk_sqs::config::{
    ConfigBag, IdentityCache, ProvideCredentials, ResolveCachedIdentity, RuntimeComponents,
    SharedHttpClient, SharedIdentityCache,
};
use aws_smithy_runtime_api::client::identity::{IdentityFuture, SharedIdentityResolver};

/// Who signs, for all clients: the SDK's cache, which asks again before
/// credentials end, and which forgets them when a service refuses them.
/// Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Identities(Arc<RwLock<SharedIdentityCache>>);

impl Default for Identities {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(IdentityCache::lazy().build())))
    }
}

impl Identities {
    /// The next call asks anew. The SDK's cache itself forgets nothing that
    /// has not ended.
    pub(super) fn forget(&self) {
        let mut cache = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *cache = IdentityCache::lazy().build();
    }
}

impl ResolveCachedIdentity for Identities {
    fn resolve_cached_identity<'a>(
        &'a self,
        resolver: SharedIdentityResolver,
        components: &'a RuntimeComponents,
        config: &'a ConfigBag,
    ) -> IdentityFuture<'a> {
        let cache = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let cache = cache.clone();
        IdentityFuture::new(async move {
            let identity = cache.resolve_cached_identity(resolver, components, config);
            identity.await
        })
    }
}

/// The SDK's own chain of credentials, made anew each time that it is asked:
/// a chain reads its files once, and would not see that they have changed.
#[derive(Debug)]
pub(super) struct Chain {
    region: Region,
    profile: String,
    http: SharedHttpClient,
    use_fips: Option<bool>,
    use_dual_stack: Option<bool>,
}

impl Chain {
    /// The chain of a profile; the endpoints that it asks are those of a
    /// region.
    pub(super) fn new(
        region: Region,
        profile: String,
        http: SharedHttpClient,
        sdk: &SdkConfig,
    ) -> Self {
        Self {
            region,
            profile,
            http,
            use_fips: sdk.use_fips(),
            use_dual_stack: sdk.use_dual_stack(),
        }
    }

    async fn credentials(&self) -> Provided {
        let config = ProviderConfig::without_region()
            .with_region(Some(self.region.clone()))
            .with_http_client(self.http.clone())
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_use_fips(self.use_fips)
            .with_use_dual_stack(self.use_dual_stack);
        let chain = DefaultCredentialsChain::builder()
            .configure(config)
            .profile_name(&self.profile);
        chain.build().await.provide_credentials().await
    }
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}
