//! From `[sign_in]` to how people sign in to the console.

use std::path::Path;
use std::sync::Arc;

use admin::person::Role;
use console::{Provider, SignIn};
use gateway::config::Config;
use gateway::sign_in::SignInProviderTable;
use policy::token::Issuer;
use store::bounded::read_file;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Bytes of the file of a secret. A longer one is refused.
const SECRET_BYTES_MAX: usize = 4_096;

/// How people sign in, by the configuration at `path`.
pub(crate) fn configured(config: &Config, path: &Path) -> Result<SignIn, Failure> {
    let table = &config.sign_in;
    let wrong = |(name, why): (&str, String)| {
        Failure::bad_input(format!("{}: `sign_in.provider.{name}`: {why}", path.display()))
    };
    let provider = table.provider.as_ref().map(provider).transpose().map_err(wrong)?;
    Ok(SignIn { url: table.url.clone(), passwords: table.passwords, passkeys: table.passkeys, provider })
}

/// A provider by its table; why it cannot be used, with the name of what is wrong.
fn provider(table: &SignInProviderTable) -> Result<Provider, (&'static str, String)> {
    let secret = table.client_secret_file.as_deref().map(secret).transpose();
    let roles = table.roles.iter().map(|(role, group)| Some((role.parse::<Role>().ok()?, group.clone())));
    let tls = gateway::tls::towards(table.authorities.as_deref());
    Ok(Provider {
        issuer: Issuer {
            issuer: table.issuer.clone(),
            audience: table.client_id.clone(),
            account_claim: table.name_claim.clone(),
        },
        secret: secret.map_err(|why| ("client_secret_file", why))?,
        role_claim: table.role_claim.clone(),
        roles: roles.collect::<Option<_>>().ok_or_else(|| ("roles", "expected roles that there are".to_owned()))?,
        tls: Arc::new(tls.map_err(|error| ("authorities", error.to_string()))?),
    })
}

fn secret(path: &Path) -> Result<Zeroizing<String>, String> {
    let bytes = read_file(path, SECRET_BYTES_MAX).map_err(|error| format!("`{}`: {error}", path.display()))?;
    let text = String::from_utf8(bytes).map(Zeroizing::new).map_err(|_| "expected text".to_owned())?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(format!("`{}`: expected one line of printable text", path.display()));
    }
    Ok(Zeroizing::new(text.to_owned()))
}
