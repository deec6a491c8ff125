"""LocalStack in this process, at the address in GATEWAY_LISTEN, without Docker: its Lambda keeps functions and checks what it is told, as
it does with Docker, but starts none. Used by `cargo xtask real`."""

from localstack.runtime.main import main
from localstack.services.lambda_.invocation.docker_runtime_executor import DockerRuntimeExecutor

DockerRuntimeExecutor.prepare_version = classmethod(lambda cls, version: version.config.code.prepare_for_execution())
DockerRuntimeExecutor.cleanup_version = classmethod(lambda cls, version: None)
DockerRuntimeExecutor.validate_environment = classmethod(lambda cls: True)

if __name__ == "__main__":
    main()
