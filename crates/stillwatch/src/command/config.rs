//! `stillwatch config`: what a gateway's configuration is, may be, and whether it can be used, without running one.

use gateway::config::Config;
use seal::PublicKey;
use serde_json::json;

use crate::cli::ConfigCommand;
use crate::configuration::{self, Checked};
use crate::failure::{Exit, Failure};
use crate::output::{print, print_json};
use crate::witnesses::Witness;

/// Does what was asked.
pub(crate) fn run(command: &ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Check(args) => match Checked::read(&args.configuration) {
            Ok(checked) if args.json => print_json(&summary(&checked)),
            Ok(checked) => {
                print(&sentences(&checked))?;
                Ok(Exit::Nothing)
            }
            Err(failure) => {
                if args.json && failure.exit() == Exit::Unreadable {
                    print_json(&json!({"ok": false, "error": failure.to_string()}))?;
                }
                Err(failure)
            }
        },
        ConfigCommand::Schema => {
            let schema = serde_json::to_string_pretty(&Config::schema()).map_err(Failure::unreadable)?;
            print(&format!("{schema}\n"))?;
            Ok(Exit::Nothing)
        }
        ConfigCommand::Show(args) => {
            let (_, config) = configuration::read(&args.configuration)?;
            let shown = config.without_secrets();
            if args.json {
                return print_json(&serde_json::to_value(&shown).map_err(Failure::unreadable)?);
            }
            print(&shown.to_toml().map_err(Failure::unreadable)?)?;
            Ok(Exit::Nothing)
        }
    }
}

fn summary(checked: &Checked) -> serde_json::Value {
    let Checked { path, config, settings, certificates, alerts, sensors, witnesses, timestamps, seals_for, .. } =
        checked;
    json!({
        "ok": true,
        "configuration": path,
        "listen": config.listen,
        "admin": config.admin,
        "data": config.data,
        "tls": certificates.is_some(),
        "database_is_verified": config.verifies_its_database(),
        "alert": alerts.iter().map(|destination| &destination.name).collect::<Vec<_>>(),
        "witness": witnesses.iter().map(Witness::name).collect::<Vec<_>>(),
        "timestamp": timestamps.as_ref().map(|authority| authority.place().to_string()),
        "sealed_for": seals_for.as_ref().map(PublicKey::id),
        "sign_in": {
            "passwords": config.sign_in.passwords,
            "passkeys": config.sign_in.passkeys,
            "provider": config.sign_in.provider.as_ref().map(|provider| &provider.issuer),
        },
        "sensor": sensors.as_ref().map(|sensors| sensors.listen),
        "upstream": settings.servers.iter().map(|server| &server.name).collect::<Vec<_>>(),
    })
}

fn sentences(checked: &Checked) -> String {
    let Checked { path, config, settings, certificates, alerts, .. } = checked;
    let scheme = if certificates.is_some() { "https" } else { "http" };
    let names: Vec<&str> = settings.servers.iter().map(|server| server.name.as_str()).collect();
    let told: Vec<&str> = alerts.iter().map(|destination| destination.name.as_str()).collect();
    let told = if told.is_empty() { String::new() } else { format!("  alerts   {}\n", told.join(", ")) };
    let model = if names.is_empty() { "the built-in mock".to_owned() } else { names.join(", ") };
    let warning = if config.verifies_its_database() { "" } else { configuration::UNVERIFIED_DATABASE };
    let warning = if warning.is_empty() { String::new() } else { format!("Warning: {warning}.\n") };
    format!(
        "The configuration ({}) can be used.\n  gateway  {scheme}://{}\n  admin    http://{}\n  data     {}\n  model    {model}\n{told}{warning}",
        path.display(),
        config.listen,
        config.admin,
        config.data.display(),
    )
}
