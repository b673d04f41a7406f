//! Sensors, from the configuration: with what the files that it names hold.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use exchange::ReadOptions;
use gateway::config::Config;
use sensor::Naming;
use sensor::door::{KEY_BYTES_MIN, SensorKey};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// What sensors need that the configuration says.
pub(crate) struct Configured {
    pub(crate) listen: std::net::SocketAddr,
    pub(crate) key: SensorKey,
    pub(crate) naming: Naming,
    pub(crate) options: ReadOptions,
}

/// Reads it, where sensors are listened to; `path` is where the configuration stands.
pub(crate) fn configured(config: &Config, path: &Path) -> Result<Option<Configured>, Failure> {
    let table = &config.sensor;
    let Some((listen, file)) = table.listen.zip(table.key_file.as_ref()) else { return Ok(None) };
    let wrong = |reason: String| {
        Failure::bad_input(format!("{}: `sensor.key_file`: {}: {reason}", path.display(), file.display()))
    };
    let text =
        fs::read_to_string(file).map(Zeroizing::new).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let key = SensorKey::new(text.trim_end_matches(['\r', '\n']));
    let key = key.ok_or_else(|| {
        wrong(format!(
            "expected one line of {KEY_BYTES_MIN} or more printable characters, such as `openssl rand -hex 32` prints"
        ))
    })?;
    let naming =
        Naming { header: table.envoy_account_header.clone(), litellm: table.litellm_account.clone(), tier: table.tier };
    let options = ReadOptions { account: table.otlp_account.clone(), ..ReadOptions::default() };
    Ok(Some(Configured { listen, key, naming, options }))
}

/// Where what is counted of sensors is seen.
pub(crate) fn counted(counts: &Arc<sensor::counts::Counts>) -> admin::Counted {
    let counts = Arc::clone(counts);
    Box::new(move || counts.all().collect())
}
