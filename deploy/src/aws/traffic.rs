use super::{
    Call,
    api::{failed, found, gone, is_outdated, is_there_already, stale},
    names::ALIAS,
};
use crate::{Error, Found, Outputs, Owner, Properties, ResourceId, Result, Share, Step, TRAFFIC};
use aws_sdk_lambda::{
    operation::get_alias::GetAliasOutput,
    types::{AliasRoutingConfiguration, builders::AliasRoutingConfigurationBuilder},
};
use serde_json::{Value, json};
use std::collections::HashMap;

pub(super) const KIND: &str = TRAFFIC;

/// Reads: `GetAlias`.
pub(super) async fn read(call: Call<'_>) -> Result<Option<Found>> {
    let name = &call.names.function;
    let Some(alias) = get(call.aws, name).await? else { return Ok(None) };
    let properties: Properties =
        shares(&alias).into_iter().map(|share| (share.release, json!(share.percent))).collect();
    let mut found = Found::new(ResourceId::new(KIND, name), properties);
    found.owner = Owner::Part;
    found.etag = alias.revision_id().map(str::to_owned);
    Ok(Some(found))
}

pub(super) async fn get(aws: &super::Aws, function: &str) -> Result<Option<GetAliasOutput>> {
    let answer = aws.clients.lambda.get_alias().function_name(function).name(ALIAS).send().await;
    found(answer.map_err(|error| failed("GetAlias", error)))
}

/// What each version gets: at most two of them something.
pub(super) fn shares(alias: &GetAliasOutput) -> Vec<Share> {
    let weights = alias.routing_config().and_then(|routing| routing.additional_version_weights());
    let mut shares: Vec<Share> = weights
        .into_iter()
        .flatten()
        .map(|(version, weight)| Share::new(version, percent(*weight)))
        .filter(|share| share.percent > 0)
        .collect();
    let rest = 100_u8.saturating_sub(shares.iter().map(|share| share.percent).sum());
    if rest > 0 {
        shares.insert(0, Share::new(alias.function_version().unwrap_or_default(), rest));
    }
    shares
}

/// A weight is from 0 to 1.
fn percent(weight: f64) -> u8 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 0 and 100"
    )]
    let percent = (weight.clamp(0.0, 1.0) * 100.0).round() as u8;
    percent
}

pub(super) async fn put(call: Call<'_>, step: &Step) -> Result<Outputs> {
    let shares = step.properties.iter().map(|(version, percent)| {
        let percent = percent_of(percent).ok_or_else(|| {
            Error::setting(
                "traffic",
                format!("`{version}` gets `{percent}`, which is no percentage"),
            )
        })?;
        Ok(Share::new(version, percent))
    });
    set(call.aws, &call.names.function, &shares.collect::<Result<Vec<_>>>()?, step.etag.clone())
        .await?;
    Ok(Outputs::new())
}

fn percent_of(value: &Value) -> Option<u8> {
    value.as_u64().and_then(|percent| u8::try_from(percent).ok()).filter(|percent| *percent <= 100)
}

/// Lambda divides traffic between two versions at most.
pub(super) async fn set(
    aws: &super::Aws,
    function: &str,
    shares: &[Share],
    revision: Option<String>,
) -> Result<()> {
    let (main, other) = match shares {
        [main] => (main, None),
        [main, other] => (main, Some(other)),
        _ => {
            let message = format!(
                "it is divided between {} versions, but aws takes one or two",
                shares.len()
            );
            return Err(Error::setting("traffic", message));
        }
    };
    let routing = |builder: AliasRoutingConfigurationBuilder| -> AliasRoutingConfiguration {
        let weights: HashMap<_, _> = other
            .iter()
            .map(|share| (share.release.clone(), f64::from(share.percent) / 100.0))
            .collect();
        // An empty map takes away what is there.
        builder.set_additional_version_weights(Some(weights)).build()
    };
    let lambda = &aws.clients.lambda;
    if get(aws, function).await?.is_none() {
        let create = lambda
            .create_alias()
            .function_name(function)
            .name(ALIAS)
            .function_version(&main.release);
        let create =
            create.routing_config(routing(AliasRoutingConfiguration::builder())).send().await;
        match create.map_err(|error| failed(&format!("CreateAlias {function}:{ALIAS}"), error)) {
            Ok(_) => return Ok(()),
            // The answer to an earlier try was lost: it is as it was asked for, or is changed now.
            Err(error) if is_there_already(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let update =
        lambda.update_alias().function_name(function).name(ALIAS).function_version(&main.release);
    let update = update.routing_config(routing(AliasRoutingConfiguration::builder()));
    let update = update.set_revision_id(revision).send().await;
    match update.map_err(|error| failed(&format!("UpdateAlias {function}:{ALIAS}"), error)) {
        Ok(_) => Ok(()),
        Err(error) if is_outdated(&error) => {
            // An earlier try, whose answer was lost, may have done it.
            let there = get(aws, function).await?;
            let there = there.map(|alias| self::shares(&alias)).unwrap_or_default();
            let is_done =
                there.len() == shares.len() && there.iter().all(|share| shares.contains(share));
            if is_done { Ok(()) } else { Err(stale(&format!("the traffic of `{function}`"))) }
        }
        Err(error) => Err(error),
    }
}

pub(super) async fn delete(call: Call<'_>) -> Result<Outputs> {
    let name = &call.names.function;
    let deleted =
        call.aws.clients.lambda.delete_alias().function_name(name).name(ALIAS).send().await;
    gone(deleted.map_err(|error| failed(&format!("DeleteAlias {name}:{ALIAS}"), error)))?;
    Ok(Outputs::new())
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn weights_are_rounded_to_percents() {
        for (weight, expected) in
            [(0.0, 0), (0.1, 10), (0.29, 29), (0.999, 100), (1.0, 100), (2.0, 100), (f64::NAN, 0)]
        {
            assert_eq!(percent(weight), expected, "{weight}");
        }
    }
}
