use crate::{
    BoxFuture, CatchUnwind, Context, Error, Event, FromEvent, Function, Handler, Manifest,
    ManifestFunction, Outcome, Result, Trigger,
};
use std::{any::Any, fmt, sync::Arc};

/// One binary's functions, the state they share and the hooks around them.
///
/// ```
/// use omnifn_core::{App, Context, Message, Request, Result, each};
///
/// struct Shop {
///     name: String,
/// }
///
/// async fn open() -> Result<Shop> {
///     Ok(Shop { name: "corner shop".to_owned() })
/// }
///
/// async fn order(_: Request, context: Context) -> Result<String> {
///     Ok(format!("ordered at {}", context.state::<Shop>()?.name))
/// }
///
/// async fn ship(message: Message, _: Context) -> Result<()> {
///     let _: serde_json::Value = message.json()?;
///     Ok(())
/// }
///
/// let app = App::new()
///     .init(open)
///     .function("order", order)
///     .function("ship", each(ship));
/// # let _ = app;
/// ```
///
/// A deployed function is one of them. Which one: `OMNIFN_FUNCTION` says it, else the platform's own variable
/// (`_HANDLER` on Lambda, `FUNCTION_TARGET` on Google) where it names one. With one function there is nothing
/// to choose; outside a cloud all are served, each at `/{name}`.
#[derive(Default)]
#[must_use = "an App does nothing until it is run"]
pub struct App {
    functions: Vec<(Arc<str>, Function)>,
    init: Option<Init>,
    on_flush: Vec<Hook>,
    on_shutdown: Vec<Hook>,
    settings: Settings,
}

type State = Arc<dyn Any + Send + Sync>;
type Init = Box<dyn FnOnce() -> BoxFuture<'static, Result<State>> + Send + Sync>;
type Hook = Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// How a binary wants to be run, where it does not leave it to the platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// Worker threads of the async runtime; one means that all runs on the thread that `run` was called on.
    pub threads: Option<usize>,
    /// The most invocations at once that a server takes.
    pub concurrency: Option<usize>,
}

impl App {
    /// An app without functions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function under the name it is deployed by.
    pub fn function<E: FromEvent, H: Handler<E>>(
        mut self,
        name: impl Into<Arc<str>>,
        handler: H,
    ) -> Self {
        self.functions.push((name.into(), Function::new(handler)));
        self
    }

    /// Shares `state` with the handlers, who reach it by [`Context::state`]; see [`init`](Self::init) for one
    /// that takes time to build or may fail.
    pub fn state<S: Send + Sync + 'static>(self, state: S) -> Self {
        self.init(|| std::future::ready(Ok::<S, Error>(state)))
    }

    /// Builds the state that handlers reach by [`Context::state`]: once, before the first invocation. When it
    /// fails, the platform is told that the start failed. An app has one state: a second call of this or of
    /// [`state`](Self::state) replaces the first.
    pub fn init<F, Fut, S, E>(mut self, init: F) -> Self
    where
        F: FnOnce() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<S, E>> + Send + 'static,
        S: Send + Sync + 'static,
        E: Into<Error> + 'static,
    {
        self.init = Some(Box::new(move || {
            Box::pin(async move {
                let state: State = Arc::new(init().await.map_err(Into::into)?);
                Ok(state)
            })
        }));
        self
    }

    /// Runs `hook` after every answer, while the platform still grants CPU time: the place to send telemetry
    /// that was buffered. See [`Context::defer`] for work of one invocation.
    pub fn on_flush<Fut>(mut self, hook: impl Fn() -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.on_flush.push(Box::new(move || Box::pin(hook())));
        self
    }

    /// Runs `hook` when the platform ends the instance, after the invocations in flight: within 8 s on Cloud
    /// Run, 400 ms on Lambda.
    pub fn on_shutdown<Fut>(mut self, hook: impl Fn() -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.on_shutdown.push(Box::new(move || Box::pin(hook())));
        self
    }

    /// Sets the number of worker threads. Unless this is called: one on Lambda without concurrency and where
    /// the CPU quota is one CPU or less, else one for each CPU. `OMNIFN_THREADS` wins over it.
    pub fn threads(mut self, threads: usize) -> Self {
        self.settings.threads = Some(threads.max(1));
        self
    }

    /// Sets the most requests at once that Cloud Run's server takes before it answers 429: 1,000 unless this
    /// is called, which is the most that Cloud Run itself sends one instance.
    pub fn concurrency(mut self, limit: usize) -> Self {
        self.settings.concurrency = Some(limit.max(1));
        self
    }

    /// How the binary wants to be run.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Whether there is a hook for the end of the instance.
    pub fn has_shutdown_hook(&self) -> bool {
        !self.on_shutdown.is_empty()
    }

    /// What the binary says of itself.
    pub fn manifest(&self) -> Manifest {
        let function = |(name, function): &(Arc<str>, Function)| ManifestFunction {
            name: name.to_string(),
            trigger: function.trigger(),
        };
        Manifest { version: 1, functions: self.functions.iter().map(function).collect() }
    }

    /// Chooses the function to run: `named` must be one of the names, `hint` counts where it is one, and a
    /// single function needs neither. [`Choice::Any`] when nothing decides it.
    ///
    /// # Errors
    /// When there is no function, two have one name, or `named` is not one of them: lists the names there are.
    pub fn choose(&self, named: Option<&str>, hint: Option<&str>) -> Result<Choice> {
        for (index, (name, _)) in self.functions.iter().enumerate() {
            let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            if name.is_empty() || !name.chars().all(valid) {
                return Err(Error::from(format!(
                    "`{name}` cannot be a function's name: use letters, digits, `-`, `_` and `.`"
                )));
            }
            if self.functions[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(Error::from(format!(
                    "two functions are called `{name}`: give each its own name"
                )));
            }
        }
        let find = |wanted: &str| self.functions.iter().find(|(name, _)| &**name == wanted);
        match (named, hint.and_then(find), &self.functions[..]) {
            (_, _, []) => Err(Error::from("there is no function: add one with `App::function`")),
            (Some(wanted), _, _) => match find(wanted) {
                Some((name, _)) => Ok(Choice::One(name.clone())),
                None => Err(self.unknown(wanted)),
            },
            (None, Some((name, _)), _) | (None, None, [(name, _)]) => Ok(Choice::One(name.clone())),
            (None, None, _) => Ok(Choice::Any),
        }
    }

    /// Says that there is no function of that name, and which there are.
    pub fn unknown(&self, wanted: &str) -> Error {
        Error::from(format!(
            "there is no function `{wanted}`; there are {}",
            self.names().join(", ")
        ))
    }

    /// The names of the functions, each in backticks.
    pub fn names(&self) -> Vec<String> {
        self.functions.iter().map(|(name, _)| format!("`{name}`")).collect()
    }

    /// Builds the state; what a runtime does before the first invocation, and a test before it calls.
    ///
    /// # Errors
    /// That of [`init`](Self::init), or its panic.
    pub async fn start(self) -> Result<Functions> {
        let state = match self.init {
            None => None,
            // Called inside a future, so that a panic before its first `await` is caught too.
            Some(init) => {
                let state: BoxFuture<'_, Result<State>> = Box::pin(async move { init().await });
                Some(CatchUnwind::new(state).await??)
            }
        };
        let functions = self.functions.into_iter().map(|(name, function)| match &state {
            Some(state) => (name, function.with_state(state.clone())),
            None => (name, function),
        });
        Ok(Functions {
            functions: functions.collect(),
            on_flush: self.on_flush,
            on_shutdown: self.on_shutdown,
        })
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App")
            .field("functions", &self.functions)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Which of an app's functions an instance runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This one.
    One(Arc<str>),
    /// Nothing said which.
    Any,
}

/// An app that was started: its functions with their state, and its hooks.
pub struct Functions {
    functions: Vec<(Arc<str>, Function)>,
    on_flush: Vec<Hook>,
    on_shutdown: Vec<Hook>,
}

impl Functions {
    /// The function of this name.
    pub fn get(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|(found, _)| &**found == name).map(|(_, function)| function)
    }

    /// All functions with their names, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Function)> {
        self.functions.iter().map(|(name, function)| (name, function))
    }

    /// Invokes the function of this name; what a test does.
    ///
    /// # Errors
    /// The handler's error, or that there is no such function.
    pub async fn invoke(&self, name: &str, event: Event, context: Context) -> Result<Outcome> {
        if let Some(function) = self.get(name) {
            return function.invoke(event, context).await;
        }
        let names: Vec<_> = self.functions.iter().map(|(name, _)| format!("`{name}`")).collect();
        Err(Error::from(format!("there is no function `{name}`; there are {}", names.join(", "))))
    }

    /// Whether there is a hook to run after every answer.
    pub fn has_flush_hook(&self) -> bool {
        !self.on_flush.is_empty()
    }

    /// Runs the flush hooks. A panic is logged, and the next one runs.
    pub async fn flush(&self) {
        run_hooks(&self.on_flush, "a flush hook failed").await;
    }

    /// Runs the shutdown hooks. A panic is logged, and the next one runs.
    pub async fn shutdown(&self) {
        run_hooks(&self.on_shutdown, "a shutdown hook failed").await;
    }
}

async fn run_hooks(hooks: &[Hook], failure: &'static str) {
    for hook in hooks {
        let work: BoxFuture<'_, ()> = Box::pin(async move { hook().await });
        if let Err(error) = CatchUnwind::new(work).await {
            tracing::error!(%error, "{failure}");
        }
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.functions.iter().map(|(name, function)| (name, function)))
            .finish()
    }
}

/// The event type that makes an [`App`] a [`Handler`], so that `run` takes both; no cloud sends it.
#[doc(hidden)]
#[derive(Debug)]
pub enum Dispatch {}

impl FromEvent for Dispatch {
    const TRIGGER: Trigger = Trigger::Direct;
    type Answer = ();

    fn from_event(event: Event) -> Result<Self> {
        Err(crate::event::mismatch(Trigger::Direct, &event))
    }

    fn into_outcome((): ()) -> Outcome {
        Outcome::Done
    }
}

#[diagnostic::do_not_recommend]
impl Handler<Dispatch> for App {
    type Output = ();

    async fn call(&self, event: Dispatch, _: Context) {
        match event {}
    }

    fn into_app(self) -> App {
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::{App, Choice, Context, Event, Payload, Result};

    fn app(names: &[&'static str]) -> App {
        names.iter().fold(App::new(), |app, name| {
            app.function(*name, async |payload: Payload<u8>, _: Context| payload)
        })
    }

    #[track_caller]
    fn check(
        names: &[&'static str],
        named: Option<&str>,
        hint: Option<&str>,
        expected: Result<&str, &str>,
    ) {
        let choice = match app(names).choose(named, hint) {
            Ok(Choice::One(name)) => Ok(name.to_string()),
            Ok(Choice::Any) => Ok("any".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        assert_eq!(choice, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn one_function_needs_no_choice_and_several_do() {
        check(&["a"], None, None, Ok("a"));
        check(&["a"], None, Some("elsewhere"), Ok("a"));
        check(&["a", "b"], None, None, Ok("any"));
        check(&["a", "b"], None, Some("b"), Ok("b"));
        check(&["a", "b"], None, Some("bootstrap"), Ok("any"));
        check(&["a", "b"], Some("a"), Some("b"), Ok("a"));
        check(
            &["a", "b"],
            Some("c"),
            Some("b"),
            Err("there is no function `c`; there are `a`, `b`"),
        );
        check(&["a"], Some("c"), None, Err("there is no function `c`; there are `a`"));
        check(&[], None, None, Err("there is no function: add one with `App::function`"));
        check(&["a", "a"], None, None, Err("two functions are called `a`: give each its own name"));
        check(
            &["a/b"],
            None,
            None,
            Err("`a/b` cannot be a function's name: use letters, digits, `-`, `_` and `.`"),
        );
    }

    #[tokio::test(flavor = "current_thread")]
    async fn state_is_built_once_and_reaches_handlers() {
        let functions = App::new()
            .state(40_u8)
            .function("add", async |Payload(number): Payload<u8>, context: Context| {
                Result::<_>::Ok(Payload(context.state::<u8>()? + number))
            })
            .start()
            .await
            .unwrap();
        let outcome =
            functions.invoke("add", Event::Direct("2".into()), Context::new("1")).await.unwrap();
        assert!(matches!(outcome, crate::Outcome::Payload(json) if json == "42"));
        let error = functions
            .invoke("sub", Event::Direct("2".into()), Context::new("1"))
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "there is no function `sub`; there are `add`");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_failing_init_is_an_error_and_so_is_its_panic() {
        let error = app(&["a"])
            .init(async || Result::<u8>::Err("no database".into()))
            .start()
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "no database");
        async fn panics() -> Result<u8> {
            panic!("no database")
        }
        let error = app(&["a"]).init(panics).start().await.unwrap_err();
        assert_eq!(error.to_string(), "the handler panicked: no database");
    }
}
