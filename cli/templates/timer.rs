//! A function that a schedule starts.

use omnifn::{Context, Result, TimerEvent};

async fn report(timer: TimerEvent, _: Context) -> Result<()> {
    println!("{} was due at {:?}", timer.name, timer.time);
    Ok(())
}

fn main() -> Result<()> {
    omnifn::run(report)
}

#[cfg(test)]
mod tests {
    use super::report;
    use omnifn::{Function, testing};

    #[tokio::test]
    async fn the_report_is_made_on_every_cloud() {
        let function = Function::new(report);
        let timer = testing::timer("nightly").sample();
        let answer = testing::invoke(&function, timer.clone()).answer().await.unwrap();
        assert_eq!(answer.to_string(), "done");
        testing::assert_parity(&function, [timer]).await;
    }
}
