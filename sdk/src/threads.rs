use crate::{env::OMNIFN_THREADS, platforms};
use omnifn_core::{App, Environment, Result};
use std::thread::available_parallelism;
use tokio::runtime::{Builder, Runtime};

/// One thread where one invocation runs at a time, however many CPUs there seem to be (Lambda shows two even to
/// small functions), and where the CPU quota is one; else one for each CPU.
pub(crate) fn choose(app: &App, environment: &Environment) -> Result<usize> {
    if let Some(threads) = environment.parse::<usize>(OMNIFN_THREADS, "a number of threads")? {
        return Ok(threads.max(1));
    }
    if let Some(threads) = app.settings().threads {
        return Ok(threads);
    }
    let platform = platforms::detect(environment).or_else(platforms::local);
    if platform.is_some_and(|platform| platform.is_concurrent(environment)) {
        // Counts the control group's quota, on Linux, rather than the machine's CPUs.
        return Ok(available_parallelism().map_or(1, usize::from));
    }
    Ok(1)
}

pub(crate) fn runtime(threads: usize) -> Result<Runtime> {
    let mut builder =
        if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    Ok(builder.enable_all().build()?)
}

#[cfg(test)]
mod tests {
    use super::choose;
    use omnifn_core::{App, Environment};
    use std::thread::available_parallelism;

    #[track_caller]
    fn check(app: &App, environment: &[(&str, &str)], threads: usize) {
        let environment = environment.iter().copied().collect();
        assert_eq!(choose(app, &environment).unwrap(), threads, "{environment:?}");
    }

    #[test]
    fn threads_suit_the_platform() {
        let cpus = available_parallelism().map_or(1, usize::from);
        let (plain, three) = (App::new(), App::new().threads(3));
        let lambda = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1");
        check(&plain, &[lambda], 1);
        check(&plain, &[lambda, ("AWS_LAMBDA_MAX_CONCURRENCY", "4")], cpus);
        check(&plain, &[("K_SERVICE", "s")], cpus);
        check(&three, &[lambda], 3);
        check(&three, &[lambda, ("OMNIFN_THREADS", "5")], 5);
        assert!(choose(&plain, &Environment::from_iter([("OMNIFN_THREADS", "many")])).is_err());
    }
}
