use super::{
    Call,
    api::{failed, found, gone, is_there_already},
    names::ALIAS,
};
use crate::{Found, Outputs, Owner, ResourceId, Result, Step, URL};
use aws_sdk_lambda::types::{Cors as LambdaCors, FunctionUrlAuthType, InvokeMode};
use serde::{Deserialize, Serialize};

pub(super) const KIND: &str = "url";

/// The URL of the alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FunctionUrl {
    /// `NONE` or `AWS_IAM`.
    pub(super) auth: String,
    /// `BUFFERED` or `RESPONSE_STREAM`.
    pub(super) mode: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cors: Option<Cors>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Cors {
    pub(super) origins: Vec<String>,
    pub(super) methods: Vec<String>,
    pub(super) headers: Vec<String>,
    pub(super) expose_headers: Vec<String>,
    pub(super) credentials: bool,
    pub(super) max_age_seconds: i32,
}

impl Cors {
    fn from_lambda(cors: &LambdaCors) -> Option<Self> {
        let cors = Self {
            origins: cors.allow_origins().to_vec(),
            methods: cors.allow_methods().to_vec(),
            headers: cors.allow_headers().to_vec(),
            expose_headers: cors.expose_headers().to_vec(),
            credentials: cors.allow_credentials().unwrap_or_default(),
            max_age_seconds: cors.max_age().unwrap_or_default(),
        };
        (cors != Self::default()).then_some(cors)
    }

    fn to_lambda(&self) -> LambdaCors {
        let some = |list: &Vec<String>| (!list.is_empty()).then(|| list.clone());
        LambdaCors::builder()
            .set_allow_origins(some(&self.origins))
            .set_allow_methods(some(&self.methods))
            .set_allow_headers(some(&self.headers))
            .set_expose_headers(some(&self.expose_headers))
            .allow_credentials(self.credentials)
            .max_age(self.max_age_seconds)
            .build()
    }
}

/// Reads: `GetFunctionUrlConfig`.
pub(super) async fn read(call: Call<'_>) -> Result<Option<Found>> {
    let name = &call.names.function;
    let get =
        call.aws.clients.lambda.get_function_url_config().function_name(name).qualifier(ALIAS);
    let answer = found(get.send().await.map_err(|error| failed("GetFunctionUrlConfig", error)))?;
    Ok(answer.map(|answer| {
        let properties = FunctionUrl {
            auth: answer.auth_type().as_str().to_owned(),
            mode: answer.invoke_mode().unwrap_or(&InvokeMode::Buffered).as_str().to_owned(),
            cors: answer.cors().and_then(Cors::from_lambda),
        };
        let mut found = Found::new(ResourceId::new(KIND, name), properties);
        found.owner = Owner::Part;
        found.outputs.insert(URL.to_owned(), answer.function_url().to_owned());
        found
    }))
}

pub(super) async fn put(call: Call<'_>, step: &Step) -> Result<Outputs> {
    let wanted: FunctionUrl = super::desired::read(step)?;
    let (lambda, name) = (&call.aws.clients.lambda, &call.names.function);
    let auth = FunctionUrlAuthType::from(wanted.auth.as_str());
    let mode = InvokeMode::from(wanted.mode.as_str());
    let cors = wanted.cors.as_ref().map(Cors::to_lambda);
    let create = lambda.create_function_url_config().function_name(name).qualifier(ALIAS);
    let create = create.auth_type(auth.clone()).invoke_mode(mode.clone()).set_cors(cors.clone());
    let url = |url: &str| Outputs::from([(URL.to_owned(), url.to_owned())]);
    if step.action == crate::Action::Create {
        match create.send().await.map_err(|error| failed("CreateFunctionUrlConfig", error)) {
            Ok(made) => return Ok(url(made.function_url())),
            Err(error) if is_there_already(&error) => {}
            Err(error) => return Err(error),
        }
    }
    let update = lambda.update_function_url_config().function_name(name).qualifier(ALIAS);
    // Without any, those that are there would stay.
    let cors = cors.unwrap_or_else(|| LambdaCors::builder().build());
    let update = update.auth_type(auth).invoke_mode(mode).cors(cors).send().await;
    let updated = update.map_err(|error| failed("UpdateFunctionUrlConfig", error))?;
    Ok(url(updated.function_url()))
}

pub(super) async fn delete(call: Call<'_>) -> Result<Outputs> {
    let delete = call.aws.clients.lambda.delete_function_url_config();
    let deleted = delete.function_name(&call.names.function).qualifier(ALIAS).send().await;
    gone(deleted.map_err(|error| failed("DeleteFunctionUrlConfig", error)))?;
    Ok(Outputs::new())
}
