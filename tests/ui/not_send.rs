// A value that cannot move between threads is held over an `await`.
use omnifn::{Context, Request};

async fn hello(_: Request, _: Context) -> &'static str {
    let shared = std::rc::Rc::new(1);
    std::future::ready(()).await;
    drop(shared);
    "x"
}

fn main() {
    let _ = omnifn::run(hello);
}
