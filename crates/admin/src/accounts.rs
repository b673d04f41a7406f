//! Accounts and organisations over the API: listed, added, changed, closed.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::routing::{get, patch, post};
use exchange::{Assurance, Time};
use policy::{Account, AccountId, Organisation, OrganisationId, PaymentGroup, Programme, Status, Tier};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::answer::{Answer, Body, Part, Sent, id, label, part, told};
use crate::context::{Admin, Shared};
use crate::endpoint::Endpoint;

pub(crate) fn endpoints() -> Vec<Endpoint<Arc<Admin>>> {
    vec![
        Endpoint::get("/accounts", "Accounts by id, a part at a time", get(accounts))
            .lists::<Account>("accounts", "The accounts"),
        Endpoint::post("/accounts", "Adds an account", post(add_account))
            .takes::<NewAccount>()
            .gives::<Account>(StatusCode::CREATED, "The account")
            .fails(StatusCode::CONFLICT, "The id is taken"),
        Endpoint::get("/accounts/{id}", "One account", get(account))
            .gives::<Account>(StatusCode::OK, "The account")
            .fails(StatusCode::NOT_FOUND, "There is none"),
        Endpoint::patch("/accounts/{id}", "Changes what is given; null takes away", patch(change_account))
            .takes::<AccountChange>()
            .gives::<Account>(StatusCode::OK, "The account as it is now")
            .fails(StatusCode::NOT_FOUND, "There is none"),
        Endpoint::post(
            "/accounts/{id}/close",
            "Closes an account: nothing is answered to it until it is active again",
            post(close_account),
        )
        .gives::<Account>(StatusCode::OK, "The account as it is now")
        .fails(StatusCode::NOT_FOUND, "There is none"),
        Endpoint::get("/organisations", "Organisations by id, a part at a time", get(organisations))
            .lists::<Organisation>("organisations", "The organisations"),
        Endpoint::post(
            "/organisations",
            "Adds a verified organisation, or puts another in its place",
            post(put_organisation),
        )
        .takes::<NewOrganisation>()
        .gives::<Organisation>(StatusCode::CREATED, "The organisation"),
    ]
}

async fn accounts(State(admin): Shared, query: Result<Query<Part>, QueryRejection>) -> Answer<Json<Value>> {
    let Query(query) = query?;
    let directory = admin.registry.directory().await;
    let accounts = query.of(directory.accounts(), |account| account.id.as_str())?;
    let accounts: Vec<Account> = accounts.into_iter().map(|account| (**account).clone()).collect();
    Ok(Json(part("accounts", accounts, |account| account.id.to_string(), &query)?))
}

/// What is told of a new account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    id: AccountId,
    #[serde(default)]
    name: String,
    organisation: Option<OrganisationId>,
    #[serde(default)]
    tier: Tier,
    #[serde(default)]
    assurance: Assurance,
    #[serde(default)]
    programme: Programme,
    payment: Option<PaymentGroup>,
    region: Option<String>,
    /// When it signed up; now, unless it was there before.
    created: Option<Time>,
}

async fn add_account(State(admin): Shared, body: Body<NewAccount>) -> Answer<(StatusCode, Json<Account>)> {
    let Sent(new) = body?;
    label("name", &new.name)?;
    label("region", new.region.as_deref().unwrap_or_default())?;
    let account = Account {
        cleared: None,
        discovered: false,
        id: new.id,
        name: new.name,
        organisation: new.organisation,
        tier: new.tier,
        assurance: new.assurance,
        programme: new.programme,
        payment: new.payment,
        region: new.region,
        status: Status::Active,
        created: new.created.unwrap_or_else(|| admin.clock.now()),
    };
    let account = admin.registry.add_account(account).await?;
    Ok((StatusCode::CREATED, Json((*account).clone())))
}

async fn account(State(admin): Shared, Path(name): Path<String>) -> Answer<Json<Account>> {
    let account = admin.registry.account(&id(&name)?).await?;
    Ok(Json((*account).clone()))
}

/// What is to be different of an account; what is not there stays as it is, `null` takes away.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AccountChange {
    name: Option<String>,
    #[serde(default, deserialize_with = "told")]
    #[schemars(with = "Option<OrganisationId>")]
    organisation: Option<Option<OrganisationId>>,
    tier: Option<Tier>,
    assurance: Option<Assurance>,
    programme: Option<Programme>,
    #[serde(default, deserialize_with = "told")]
    #[schemars(with = "Option<PaymentGroup>")]
    payment: Option<Option<PaymentGroup>>,
    #[serde(default, deserialize_with = "told")]
    #[schemars(with = "Option<String>")]
    region: Option<Option<String>>,
    status: Option<Status>,
}

async fn change_account(
    State(admin): Shared,
    Path(name): Path<String>,
    body: Body<AccountChange>,
) -> Answer<Json<Account>> {
    let Sent(new) = body?;
    label("name", new.name.as_deref().unwrap_or_default())?;
    label("region", new.region.as_ref().and_then(Option::as_deref).unwrap_or_default())?;
    let change = |account: &mut Account| {
        account.name = new.name.unwrap_or(std::mem::take(&mut account.name));
        account.organisation = new.organisation.unwrap_or(account.organisation.take());
        account.tier = new.tier.unwrap_or(account.tier);
        account.assurance = new.assurance.unwrap_or(account.assurance);
        account.programme = new.programme.unwrap_or(account.programme);
        account.payment = new.payment.unwrap_or(account.payment.take());
        account.region = new.region.unwrap_or(account.region.take());
        account.status = new.status.unwrap_or(account.status);
    };
    let account = admin.registry.change_account(&id(&name)?, change).await?;
    Ok(Json((*account).clone()))
}

async fn close_account(State(admin): Shared, Path(name): Path<String>) -> Answer<Json<Account>> {
    let account = admin.registry.close_account(&id(&name)?).await?;
    Ok(Json((*account).clone()))
}

async fn organisations(State(admin): Shared, query: Result<Query<Part>, QueryRejection>) -> Answer<Json<Value>> {
    let Query(query) = query?;
    let organisations = admin.registry.organisations().await;
    let organisations: Vec<Organisation> = organisations.iter().map(|organisation| (**organisation).clone()).collect();
    Ok(Json(part("organisations", organisations, |organisation| organisation.id.to_string(), &query)?))
}

/// What is told of an organisation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewOrganisation {
    id: OrganisationId,
    #[serde(default)]
    name: String,
    #[serde(default)]
    assurance: Assurance,
}

async fn put_organisation(
    State(admin): Shared,
    body: Body<NewOrganisation>,
) -> Answer<(StatusCode, Json<Organisation>)> {
    let Sent(NewOrganisation { id, name, assurance }) = body?;
    label("name", &name)?;
    let known = admin.registry.organisations().await.into_iter().find(|known| known.id == id);
    let created = known.map_or_else(|| admin.clock.now(), |known| known.created);
    let organisation = Organisation { id, name, assurance, created };
    admin.registry.put_organisation(organisation.clone()).await?;
    Ok((StatusCode::CREATED, Json(organisation)))
}
