//! What one copy of the library's JavaScript owns; there is one in each JavaScript thread, rarely more.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use napi::bindgen_prelude::*;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use socket2_core::datagram::Batch;
use socket2_core::detached::Fresh;
use socket2_core::lookup::Pool;
use socket2_core::poller::Poller;
use socket2_core::table::Table;

use crate::echoes::{Echo, EchoArguments};
use crate::lookup::{Answer, AnswerArguments};

/// A callback into this environment that any thread may call; it does not keep the process alive by itself.
pub type Callback<T, Arguments> = ThreadsafeFunction<T, (), Arguments, Status, false, true>;

/// The callback that says: the poll has been handed over.
pub type Deliver = Callback<(), ()>;

/// The callback that brings the answer to a lookup.
pub type Resolved = Callback<Answer, AnswerArguments>;

/// The callback that brings the fate of an echo request.
pub type Echoed = Callback<Echo, EchoArguments>;

/// The environments of one JavaScript thread, by the number that JavaScript knows them by.
pub type Environments = RefCell<Vec<Rc<Environment>>>;

/// A poller, its sockets and its lookups.
pub struct Environment {
    pub poller: RefCell<Option<Poller>>,
    pub sockets: RefCell<Table>,
    pub lookups: Pool,
    /// The sockets that JavaScript has detached since it last said that it is done with that.
    pub fresh: RefCell<Fresh>,
    /// The datagrams that the last call for many has received; made when the first comes.
    pub batch: RefCell<Option<Box<Batch>>>,
    pub deliver: Arc<OnceLock<Deliver>>,
    pub resolved: Arc<OnceLock<Resolved>>,
    /// Made when the first echo request goes by a call of the system's own.
    pub echoed: Arc<OnceLock<Echoed>>,
    /// Whether `deliver` keeps the process alive at the moment.
    pub alive: Cell<bool>,
}

impl Environment {
    pub fn new() -> io::Result<Rc<Environment>> {
        let deliver = Arc::new(OnceLock::<Deliver>::new());
        let poller = Poller::new(caller(&deliver))?;
        let sockets = Table::new(poller.registry().try_clone()?, poller.tokens());
        Ok(Rc::new(Environment {
            poller: RefCell::new(Some(poller)),
            sockets: RefCell::new(sockets),
            lookups: Pool::new(),
            fresh: RefCell::default(),
            batch: RefCell::default(),
            deliver,
            resolved: Arc::new(OnceLock::new()),
            echoed: Arc::new(OnceLock::new()),
            alive: Cell::new(false),
        }))
    }

    /// Moves to the poller of this handle, which another environment uses, too. Every socket is closed by that. `None` when
    /// there is no such poller in this process.
    pub fn share(&self, handle: i64) -> Option<io::Result<()>> {
        Some(Poller::share(handle, caller(&self.deliver))?.and_then(|poller| {
            let sockets = Table::new(poller.registry().try_clone()?, poller.tokens());
            self.sockets.replace(sockets);
            self.poller.replace(Some(poller));
            Ok(())
        }))
    }

    /// Installs the callbacks, once, and sees to it that everything ends with the environment.
    pub fn start(self: Rc<Self>, env: &Env, deliver: Deliver, resolved: Resolved) -> Result<()> {
        if self.deliver.set(deliver).is_err() || self.resolved.set(resolved).is_err() {
            return Err(Error::from_reason("the callbacks of this environment are installed already"));
        }
        // Hooks run last in, first out: registered after the callbacks were made, this one ends the poller's thread while
        // they still exist. It runs at exit, at terminate() and when a module is unloaded.
        env.add_env_cleanup_hook(self, |environment| environment.end())?;
        Ok(())
    }

    /// Ends the poller's thread, waits for it, and closes every socket.
    fn end(&self) {
        drop(self.poller.borrow_mut().take());
        self.sockets.borrow_mut().clear();
        self.fresh.take();
    }
}

/// The environments of the thread that is running.
pub fn environments(env: &Env) -> Result<&Environments> {
    let environments = env.get_instance_data::<Environments>()?;
    environments.map(|found| &*found).ok_or_else(|| Error::from_reason("the binding was not initialised"))
}

/// What the poller's thread calls: the callback, once there is one.
fn caller(deliver: &Arc<OnceLock<Deliver>>) -> impl Fn() + Send + Sync + 'static {
    let deliver = Arc::clone(deliver);
    move || {
        if let Some(deliver) = deliver.get() {
            deliver.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}
