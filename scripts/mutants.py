"""`make mutants`: change a module by one operator, condition, number or word at a time; some test must fail.

`python -m scripts.mutants [MODULE …]` takes only those modules. Tests run in process, on SQLite, or on PostgreSQL after
`python -m scripts.postgresql`: first once, to see which of them reach which function, then for each mutant those that
reach it, in a fork with a copy of the database. What stands outside of functions (tables, declarations) isn't changed.
"""

import ast
import copy
import functools
import gc
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import psycopg
import pytest
from _pytest.runner import runtestprotocol
from django.conf import settings
from psycopg.sql import SQL, Identifier

MANY_STEPS = ("add_steps", "many_steps", "reorder_steps", "replace_steps")
TOKENS = ("project.access_tokens", "project.forged_tokens", "project.key_server", "project.key_server_outages")

# Each module, and the tests that look at what it does. Those of all chosen modules run.
MODULES: dict[str, tuple[str, ...]] = {
    "campaigns/lifecycle.py": (
        *("campaigns", "duplicate", "etags", "history", "lost_transactions", "one_campaign"),
        *("operations_by_status", "revisions", "transitions", "catalogue.asking", "catalogue.findings"),
    ),
    "campaigns/many_steps.py": (
        *("add_steps_shifting", "duplicate", "etags", "many_faults", "round_trip", *MANY_STEPS),
        *("admin.campaign_page", "admin.history", "admin.many_steps", "admin.step_pages"),
    ),
    "campaigns/positions.py": ("add_steps_shifting", "admin.many_steps"),
    "campaigns/readiness.py": ("readiness", "transitions", "catalogue.findings"),
    "campaigns/rule_fields.py": (
        *("add_step", "bad_input", "campaigns", "duplicate", "many_faults", "one_campaign"),
        *("openapi", "remedies", "strict_preference", *MANY_STEPS),
    ),
    "campaigns/rules.py": ("bad_input", "many_faults", "openapi", "rules", "strict_preference", *MANY_STEPS),
    "campaigns/serializers.py": (
        *("add_step", "campaigns", "duplicate", "events", "history", "includes", "many_faults", *MANY_STEPS),
        *("one_campaign", "openapi", "strict_preference", "timeline"),
    ),
    "campaigns/steps.py": (
        *("add_step", "add_step_conflicts", "add_steps_shifting", "concurrency", "etags", "history"),
        *("deadlocks", "lost_transactions", "one_step", "races"),
    ),
    "messaging_project/api/errors.py": (
        *("bad_input", "errors", "many_faults", "one_campaign", "remedies", "revisions", *MANY_STEPS),
        *("strict_preference", "project.landing", "project.readiness", "project.settings_in_effect"),
        *("project.throttles", *TOKENS),
    ),
    "messaging_project/api/idempotency.py": ("idempotency_key", "idempotency_key_races"),
    "messaging_project/api/tokens.py": (*("project.scopes", "project.throttles", "project.token_settings", *TOKENS),),
}
SLOW_SECONDS = 10  # a test that takes longer starts processes or waits: it is left out
TIMEOUT_SECONDS = 20  # beyond three times what the tests of a mutant took: a loop without an end is noticed, too
WANTED = 0.95
REPORT = os.fdopen(os.dup(1), "w")  # pytest captures what else is written

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}


# --- Mutants ---------------------------------------------------------------------------------------------------------


class Mutator(ast.NodeTransformer):
    """Counts the changes that it could make, and makes the one with the number `wanted`."""

    def __init__(self, wanted: int = -1) -> None:
        self.wanted, self.count, self.said, self.line = wanted, 0, "", 0
        self._functions = 0

    def visit(self, node: ast.AST) -> Any:
        inside = isinstance(node, ast.FunctionDef | ast.Lambda)
        self._functions += inside
        try:
            changed = self._change(node) if self._functions else None
            return super().visit(node) if changed is None else changed
        finally:
            self._functions -= inside

    def _change(self, node: ast.AST) -> ast.AST | None:
        for change in changes(node):
            self.count += 1
            if self.count - 1 == self.wanted:
                self.line, was = getattr(node, "lineno", 0), ast.unparse(node)
                changed = ast.copy_location(change, node)
                self.said = f"{was.splitlines()[0]}  ->  {ast.unparse(changed).splitlines()[0]}"
                return changed
        return None

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Leave annotations, defaults and decorators alone: they aren't the function's own code."""
        node.body = [self.visit(statement) for statement in node.body]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        return node if isinstance(node.value, ast.Constant) else self.generic_visit(node)  # type: ignore[return-value]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        node.value = self.visit(node.value) if node.value else None
        return node


def changes(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in SWAPS:
            yield _with(node, ops=[SWAPS[type(operator)]()])
        case ast.BoolOp(op=operator) | ast.BinOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in SWAPS:
            yield _with(node, op=SWAPS[type(operator)]())
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.If(test=test) | ast.IfExp(test=test) if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            yield _with(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int()):
            yield ast.Constant(int(node.value) + 1)  # type: ignore[arg-type]  # the pattern says so
        case ast.Constant(value=str()) if node.value:
            yield ast.Constant(str(node.value) + "x")
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant):
            yield ast.Return(ast.Constant(None))
        case ast.Raise() | ast.Expr(value=ast.Call()):
            yield ast.Pass()
        case _:
            pass


def _with(node: ast.AST, **fields: Any) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def mutants(path: Path) -> Iterator[tuple[str, list[tuple[CodeType, CodeType]]]]:
    """What is changed, and the code objects of functions before and after it."""
    source = path.read_text()
    count = Mutator()
    count.visit(ast.parse(source))
    original = functions(compile(source, path, "exec"))
    free = {code.co_firstlineno: code.co_freevars for code in reversed(original)}
    same = functions(compile(_closing_over(ast.parse(source), free), path, "exec"))
    for number in range(count.count):
        mutator = Mutator(number)
        tree = _closing_over(mutator.visit(ast.parse(source)), free)
        changed = {_place(code): code for code in functions(compile(tree, path, "exec"))}
        found = [(old, changed.get(_place(kept), kept), kept) for old, kept in zip(original, same, strict=True)]
        yield f"{path.name}:{mutator.line}: {mutator.said}", [(old, new) for old, new, kept in found if new != kept]


def _closing_over(tree: ast.Module, names: dict[int, tuple[str, ...]]) -> ast.Module:
    """Let functions close over the names that they did, though a change removed their use: their closures stay."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            used: list[ast.stmt] = [ast.Expr(ast.Name(name, ast.Load())) for name in names[first]]
            node.body.append(ast.If(ast.Constant(False), used or [ast.Pass()], []))
    return ast.fix_missing_locations(tree)


def _place(code: CodeType) -> tuple[Any, ...]:
    """A function takes only code that closes over the same names."""
    return code.co_qualname, code.co_firstlineno, code.co_freevars, code.co_varnames[: code.co_argcount]


def functions(code: CodeType) -> list[CodeType]:
    """The code objects inside this one, in the order of the text."""
    found = []
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found += [constant, *functions(constant)]
    return found


# --- Tests -----------------------------------------------------------------------------------------------------------


class Run:
    """A plugin of pytest that runs the tests once, and then those that reach each mutant."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        self.reached: dict[tuple[str, int], set[pytest.Item]] = defaultdict(set)
        self.seconds: dict[pytest.Item, float] = {}
        self.survivors: list[str] = []
        self.count = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._files = {str(path) for path in self.paths}
        self._caches = own_caches()
        self._run_once(session.items)
        self._functions = functions_by_code(self._files)
        self._database = database()
        print(f"{len(session.items)} tests ran once in {sum(self.seconds.values()):.0f} s", file=REPORT, flush=True)
        self._leave_out_what_fails_unchanged()
        for path in self.paths:
            before, alive = self.count, len(self.survivors)
            for said, pairs in mutants(path):
                self._judge(said, pairs)
            killed = self.count - before - (len(self.survivors) - alive)
            print(f"{path}: {killed} of {self.count - before} killed", file=REPORT, flush=True)
        return True

    def _run_once(self, items: list[pytest.Item]) -> None:
        next_items: list[pytest.Item | pytest.Session] = [*items[1:], items[0].session]
        for item, following in zip(items, next_items, strict=True):
            seen: set[tuple[str, int]] = set()

            def look(frame: FrameType, event: str, _: Any, seen: set[tuple[str, int]] = seen) -> None:
                if frame.f_code.co_filename in self._files:
                    seen.add((frame.f_code.co_filename, frame.f_code.co_firstlineno))

            self._forget()  # or only the first test would reach what is kept
            began = time.monotonic()
            threading.settrace(look)
            sys.settrace(look)
            passed = passes(item, following)
            sys.settrace(None)
            self.seconds[item] = time.monotonic() - began
            if passed and self.seconds[item] < SLOW_SECONDS:
                for place in seen:
                    self.reached[place].add(item)

    def _apply(self, pairs: list[tuple[CodeType, CodeType]]) -> None:
        for old, new in pairs:
            for function in self._functions[old]:
                function.__code__ = new
        self._forget()

    def _forget(self) -> None:
        for cache in self._caches:
            cache.cache_clear()

    def _leave_out_what_fails_unchanged(self) -> None:
        """A test that fails again, in a fork and after others, would seem to notice every mutant."""
        items = sorted(set().union(*self.reached.values()), key=self.seconds.__getitem__)
        self._database.restore()
        reading, writing = os.pipe()
        if os.fork() == 0:
            failed = [index for index, item in enumerate(items) if not passes(item, item.session)]
            os.write(writing, json.dumps(failed).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as answer:
            unfit = {items[index] for index in json.load(answer)}
        os.wait()
        for item in unfit:
            print(f"  left out, since it fails unchanged: {item.nodeid}", file=REPORT, flush=True)
        self.reached = defaultdict(set, {place: found - unfit for place, found in self.reached.items()})

    def _judge(self, said: str, pairs: list[tuple[CodeType, CodeType]]) -> None:
        self.count += 1
        items = {item for old, _ in pairs for item in self.reached[old.co_filename, old.co_firstlineno]}
        if not self._is_killed(said, pairs, sorted(items, key=self.seconds.__getitem__)):
            self.survivors.append(f"{said} ({len(items)} tests)")
            print(f"  survives: {self.survivors[-1]}", file=REPORT, flush=True)

    def _is_killed(self, said: str, pairs: list[tuple[CodeType, CodeType]], items: list[pytest.Item]) -> bool:
        self._database.restore()
        timeout = TIMEOUT_SECONDS + 3 * sum(self.seconds[item] for item in items)
        child = os.fork()
        if child == 0:
            signal.alarm(int(timeout))
            try:
                self._apply(pairs)
                alive = all(passes(item, item.session) for item in items)
            except Exception as error:
                print(f"  {error!r}", file=REPORT, flush=True)
                alive = True
            os._exit(0 if alive else 1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code < 0:
            print(f"  {signal.Signals(-code).name} ended {said}", file=REPORT, flush=True)
        return code != 0


def file_of(test: str) -> str:
    """`admin.history` is campaigns/tests/admin/test_history.py; `project` has the project's own tests."""
    *folders, name = test.split(".")
    folder = "messaging_project/tests" if folders == ["project"] else "/".join(["campaigns/tests", *folders])
    return f"{folder}/test_{name}.py"


def passes(item: pytest.Item, following: pytest.Item | pytest.Session) -> bool:
    """Run a test, and tear down what `following` doesn't need; the session needs no module's or package's fixtures."""
    reports = runtestprotocol(item, log=False, nextitem=following)  # type: ignore[arg-type]  # it asks for its parents
    return not any(report.failed for report in reports)


def own_caches() -> list["functools._lru_cache_wrapper[Any]"]:
    import_module(settings.ROOT_URLCONF)
    # Not isinstance, here and below: it would ask Django's lazy objects what they are, and so evaluate them.
    found = [thing for thing in gc.get_objects() if type(thing) is functools._lru_cache_wrapper]
    return [cache for cache in found if cache.__module__.partition(".")[0] in ("campaigns", "messaging_project")]


def functions_by_code(files: set[str]) -> dict[CodeType, list[FunctionType]]:
    """Each function of these files that there is; a closure is one for each call that made it."""
    found = defaultdict(list)
    for thing in gc.get_objects():
        if type(thing) is FunctionType and thing.__code__.co_filename in files:
            found[thing.__code__].append(thing)
    return found


def database() -> "DatabaseFile | DatabaseOnServer":
    """The test database as it was after the first run. Nothing is connected to it."""
    from django.db import connection

    connection.close()
    name = str(connection.settings_dict["NAME"])
    if connection.vendor == "sqlite":
        return DatabaseFile(Path(name))
    connection.close_pool()  # type: ignore[attr-defined]  # of this backend
    return DatabaseOnServer(name)


class DatabaseFile:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = Path(shutil.copy(path, f"{path}.kept"))

    def restore(self) -> None:
        for suffix in ("-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)
        shutil.copy(self._kept, self._path)


class DatabaseOnServer:
    def __init__(self, name: str) -> None:
        self._name, self._kept = name, f"{name}_kept"
        self._copy(name, self._kept)

    def restore(self) -> None:
        self._copy(self._kept, self._name)

    def _copy(self, source: str, target: str) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as session:
            session.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(target)))
            session.execute(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(target), Identifier(source)))


def main() -> None:
    modules = sys.argv[1:] or list(MODULES)
    run = Run([Path(name).resolve() for name in modules])
    tests = sorted({file_of(test) for module in modules for test in MODULES[module]})
    pytest.main(["-p", "no:cacheprovider", *tests], plugins=[run])
    share = 1 - len(run.survivors) / max(run.count, 1)
    print(f"{run.count - len(run.survivors)} of {run.count} killed: {share:.1%}", file=REPORT)
    sys.exit(share < WANTED)


if __name__ == "__main__":
    main()
