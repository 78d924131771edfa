//! Links the addon as Node.js expects it, when the feature `node` is on.
fn main() {
    #[cfg(feature = "node")]
    napi_build::setup();
}
