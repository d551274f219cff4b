"""What the body of a function says about the types of its parameters, read from the tree and never run.

Every expression stands for a `Place`: what is known about one value, with the places of what it contains. Reading the
body in order leaves evidence (operators, methods, builtins, indexing, iteration, comparisons with literals), and joins
places that must be alike (`a + b`, `x in xs`, an argument and the parameter it goes to). Evidence has weights, since
Python code seldom forces one type.
"""

import ast
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from case2code.inputs.places import Place
from case2code.inputs.types import Type

_SHARED_METHODS: Final = {"index", "count", "pop", "remove", "clear", "copy", "update"}
_STR_METHODS: Final = frozenset(name for name in dir(str) if not name.startswith("_")) - _SHARED_METHODS
_SET_METHODS: Final = frozenset(name for name in dir(set) if not name.startswith("_")) - _SHARED_METHODS
#: Methods and attributes, and the kinds of values that have them.
_METHODS: Final[tuple[tuple[frozenset[str], dict[str, float]], ...]] = (
    (_STR_METHODS, {"str": 2.0, "bytes": 0.2}),
    (_SET_METHODS, {"set": 2.0}),
    *(
        (frozenset(names.split()), kinds)
        for names, kinds in (
            ("append extend insert sort reverse", {"list": 2.0}),
            ("keys values items get setdefault popitem fromkeys", {"dict": 2.0}),
            ("index count", {"list": 0.8, "str": 0.7}),
            ("pop remove clear copy", {"list": 0.8, "dict": 0.3, "set": 0.3}),
            ("update", {"dict": 1.0}),
            ("popleft appendleft rotate", {"deque": 2.0}),
            ("most_common elements", {"Counter": 2.0}),
            ("bit_length to_bytes", {"int": 2.0}),
            ("is_integer hex", {"float": 2.0}),
            ("decode", {"bytes": 3.0}),
            ("numerator denominator", {"int": 1.0, "Fraction": 0.6}),
            ("real imag conjugate", {"complex": 1.0}),
            ("year month day weekday isoformat isocalendar", {"date": 1.5, "datetime": 0.5}),
            ("hour minute second microsecond", {"datetime": 1.5}),
            ("total_seconds days seconds microseconds", {"timedelta": 2.0}),
        )
    ),
)
#: Functions by what they take: whole numbers, numbers, something to iterate over, text.
_INTEGERS: Final = frozenset("bin hex oct chr range gcd lcm factorial comb perm isqrt".split())
_REALS: Final = frozenset(
    """sqrt exp log log2 log10 sin cos tan asin acos atan atan2 floor ceil radians degrees hypot fabs isnan isinf
    isfinite trunc modf frexp copysign isclose""".split()
)
_ITERATES: Final = frozenset(
    """list tuple set frozenset sorted iter reversed enumerate sum any all deque chain from_iterable cycle islice
    accumulate combinations permutations product Counter groupby takewhile dropwhile heapify fsum prod mean median next
    pairwise""".split()
)
_TEXTS: Final = frozenset("match search fullmatch findall finditer split sub compile".split())
_SORTED: Final = frozenset("bisect bisect_left bisect_right insort heappush heappop heapify".split())
_SUMS: Final = frozenset("sum fsum prod mean median".split())
#: Functions that give back what they take, element by element.
_SAME: Final = frozenset(
    "list tuple sorted iter reversed deque set frozenset islice copy deepcopy cycle chain accumulate".split()
)
_RETURNS: Final = {
    **dict.fromkeys(("len", "ord", "int"), "int"),
    **dict.fromkeys(("str", "repr", "bin", "hex", "oct", "chr"), "str"),
    "float": "float",
    "bool": "bool",
    "round": "number",
}
_CLASSES: Final[dict[str, dict[str, float]]] = {
    **{name: {name: 1.0} for name in ("int", "float", "str", "list", "dict")},
    **{name: {name: 0.8} for name in ("bytes", "tuple", "set", "bool", "Fraction", "Decimal", "datetime", "date")},
    **{name: {name: 0.5} for name in ("complex", "bytearray", "timedelta", "frozenset")},
    "Mapping": {"dict": 1.0},
    "Sequence": {"list": 1.0},
    "Iterable": {"list": 0.8},
    "Number": {"int": 0.8, "float": 0.4},
    "Integral": {"int": 1.0},
    "basestring": {"str": 1.0},
}


class Usage:
    """Reads one function; `places` are those of its parameters."""

    def __init__(self, function: ast.FunctionDef | ast.AsyncFunctionDef, helpers: Iterable[ast.stmt] = ()) -> None:
        self._functions: dict[str, list[Place]] = {}
        self.names: dict[str, Place] = {}
        self.places: dict[str, Place] = {}  # helpers see none of them
        for helper in helpers:
            if isinstance(helper, ast.FunctionDef) and helper is not function:
                with suppress(RecursionError):
                    self._nested(helper)
        self.places = {argument.arg: Place() for argument in _arguments(function.args)}
        self._functions[function.name] = list(self.places.values())
        self.names.update(self.places)
        with suppress(RecursionError):  # code nested without end: what was read of it stands
            self._body(function.body)

    def types(self, name: str) -> list[Type]:
        """Types for a parameter, the best first."""
        with suppress(RecursionError):
            return self.places[name].types(name)
        return []

    def is_callable(self, name: str) -> bool:
        kinds = self.places[name].here.kinds
        return kinds["callable"] >= 1

    # Statements

    def _body(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                place = self._read(value)
                for target in targets:
                    self._assign(target, place)
            case ast.AugAssign(target=target, op=op, value=value):
                self._assign(target, self._operation(op, self._read(target), self._read(value)))
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self._assign(target, self._read(value))
            case (
                ast.For(target=target, iter=iterable, body=body, orelse=orelse)
                | ast.AsyncFor(target=target, iter=iterable, body=body, orelse=orelse)
            ):
                self._assign(target, self._iterate(self._read(iterable)))
                self._body(body)
                self._body(orelse)
            case ast.If(test=test, body=body, orelse=orelse) | ast.While(test=test, body=body, orelse=orelse):
                self._read(test)
                before = dict(self.names)
                self._body(body)
                self._merge(before)
                self._body(orelse)
                self._merge(before)
            case ast.FunctionDef():
                self._nested(node)
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
                self._body(body)
                for handler in handlers:
                    self._body(handler.body)
                self._body(orelse)
                self._body(final)
            case ast.With(items=items, body=body):
                for item in items:
                    self._read(item.context_expr)
                self._body(body)
            case ast.Match(subject=subject, cases=cases):
                self._read(subject)
                for case in cases:
                    self._body(case.body)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self._read(child)

    def _merge(self, before: dict[str, Place]) -> None:
        """After a branch, a name stands for what it was before and for what it is now, if these can be one."""
        for name, place in before.items():
            now = self.names.get(name, place)
            if now.here is not place.here:
                self.names[name] = place.join(now)

    def _nested(self, node: ast.FunctionDef) -> None:
        outside = dict(self.names)
        places = {argument.arg: Place() for argument in _arguments(node.args)}
        self._functions[node.name] = list(places.values())
        self.names.update(places)
        self._body(node.body)
        self.names = outside

    def _assign(self, target: ast.expr, value: Place) -> None:
        match target:
            case ast.Name(id=name):
                self.names[name] = value
            case ast.Tuple(elts=elts) | ast.List(elts=elts):
                if not any(isinstance(element, ast.Starred) for element in elts):
                    value.here.width = value.here.width or len(elts)
                for position, element in enumerate(elts):
                    if isinstance(element, ast.Starred):
                        self._assign(element.value, Place(list=1.0))
                    else:
                        self._assign(element, value.field(position))
            case ast.Subscript(value=container, slice=index):
                place = self._read(container)
                self._index(place, index).join(value)
                if not isinstance(index, ast.Slice):
                    place.say("indexed", 0.3)
            case _:
                self._read(target)

    # Expressions

    def _read(self, node: ast.expr) -> Place:
        match node:
            case ast.Name(id=name):
                return self.names.setdefault(name, Place())
            case ast.Constant(value=value):
                return _constant(value)
            case ast.BinOp(left=left, op=op, right=right):
                return self._operation(op, self._read(left), self._read(right))
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                self._compare(left, ops, comparators)
                return Place(bool=1.0)
            case ast.BoolOp(values=operands):
                places = [self._read(operand) for operand in operands]
                return places[0] if isinstance(operands[0], ast.Name) else places[-1]
            case ast.UnaryOp(op=op, operand=operand):
                place = self._read(operand)
                if isinstance(op, ast.Not):
                    return Place(bool=1.0)
                return place.say("int" if isinstance(op, ast.Invert) else "number")
            case ast.Call():
                return self._call(node)
            case ast.Subscript(value=container, slice=index):
                return self._index(self._read(container), index)
            case ast.Attribute(value=owner, attr=attribute):
                self._attribute(self._read(owner), attribute)
                return Place()
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self._read(test)
                yes, no = self._read(body), self._read(orelse)
                return no if isinstance(body, ast.Constant) else yes
            case (
                ast.ListComp(elt=elt, generators=generators)
                | ast.SetComp(elt=elt, generators=generators)
                | (ast.GeneratorExp(elt=elt, generators=generators))
            ):
                self._generators(generators)
                made = Place(list=1.0)
                made.iterated.join(self._read(elt))
                return made
            case ast.DictComp(key=key, value=value, generators=generators):
                self._generators(generators)
                made = Place(dict=1.0)
                made.key.join(self._read(key))
                made.item.join(self._read(value))
                return made
            case ast.List(elts=elts) | ast.Set(elts=elts) | ast.Tuple(elts=elts):
                made = Place(**{type(node).__name__.lower(): 1.0})
                for position, element in enumerate(elts):
                    place = self._read(element)
                    if isinstance(node, ast.Tuple):
                        made.fields[position] = place
                    elif position < 8:
                        made.iterated.join(place)
                return made
            case ast.Dict(keys=keys, values=values):
                made = Place(dict=1.0)
                for key_node, value_node in zip(keys[:8], values[:8], strict=True):
                    if key_node is not None:
                        made.key.join(self._read(key_node))
                    made.item.join(self._read(value_node))
                return made
            case ast.JoinedStr(values=values):
                for value in values:
                    if isinstance(value, ast.FormattedValue):
                        self._read(value.value)
                return Place(str=1.0)
            case ast.Lambda(args=arguments, body=body):
                self._lambda(arguments, body, [])
                return Place(callable=1.0)
            case ast.NamedExpr(target=target, value=value):
                place = self._read(value)
                self._assign(target, place)
                return place
            case ast.Starred(value=value):
                return self._iterate(self._read(value))
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._read(child)
        return Place()

    def _generators(self, generators: list[ast.comprehension]) -> None:
        for generator in generators:
            self._assign(generator.target, self._iterate(self._read(generator.iter)))
            for test in generator.ifs:
                self._read(test)

    def _lambda(self, arguments: ast.arguments, body: ast.expr, places: list[Place]) -> Place:
        names = [argument.arg for argument in _arguments(arguments)]
        outside = dict(self.names)
        self.names.update(zip(names, [*places, *(Place() for _ in names)], strict=False))
        result = self._read(body)
        self.names = outside
        return result

    def _iterate(self, place: Place) -> Place:
        if place.solid() is None:
            place.say("iterable")
        if place.solid() == "str":
            return Place(str=1.0)
        here = place.here
        if here.fields and here._iterated is None:
            for field in list(here.fields.values()):
                here.iterated.join(field)
        return place.iterated

    def _operation(self, op: ast.operator, left: Place, right: Place) -> Place:
        solid = left.solid(), right.solid()
        match op:
            case ast.Add():
                if not any(solid):
                    left.say("number", 0.6)
                return left.join(right)
            case ast.Mod() if solid[0] == "str":
                return left
            case ast.Mult() if "str" in solid or "list" in solid:
                container, times = (left, right) if solid[0] in ("str", "list") else (right, left)
                times.say("int")
                return container
            case ast.Sub() if "set" in solid:
                return left.join(right)
            case ast.BitAnd() | ast.BitOr() | ast.BitXor():
                if not any(solid):
                    left.say("int", 0.8)
                return left.join(right)
            case ast.Mod() | ast.FloorDiv() | ast.LShift() | ast.RShift():
                left.say("int", 0.8)
                right.say("int", 0.8)
                return Place(int=0.8)
            case ast.Div():
                left.say("real", 0.7)
                right.say("real", 0.7)
                return Place(float=0.9)
            case ast.Pow():
                left.say("number")
                right.say("number")
                return Place(number=1.0)
        left.say("number")
        right.say("number")
        return left.join(right)

    def _compare(self, left: ast.expr, ops: list[ast.cmpop], comparators: list[ast.expr]) -> None:
        match left, comparators:
            case ast.Call(func=ast.Name(id="type"), args=[value]), [ast.expr() as classes]:
                self._is_instance(self._read(value), classes)
                return
        before = self._read(left)
        for op, node in zip(ops, comparators, strict=True):
            after = self._read(node)
            match op:
                case ast.In() | ast.NotIn():
                    if after.solid() == "str":
                        before.say("str")
                    elif before.solid() == "str" and after.solid() is None:
                        after.say("container").say("str", 0.4)
                        after.iterated.join(before)
                    else:
                        if after.solid() is None:
                            after.say("container")
                        for place in (after.iterated, *after.here.fields.values()):
                            before.join(place)
                case ast.Is() | ast.IsNot():
                    if isinstance(node, ast.Constant):
                        before.say("None" if node.value is None else type(node.value).__name__, 0.5)
                case ast.Eq() | ast.NotEq():
                    before.join(after)
                case _:
                    if before.solid() is None and after.solid() is None:
                        before.say("ordered")
                    before.join(after)
            before = after

    def _index(self, place: Place, index: ast.expr) -> Place:
        if isinstance(index, ast.Slice):
            for bound in (index.lower, index.upper, index.step):
                if bound is not None:
                    self._read(bound).say("int")
            if place.solid() is None:
                place.say("sequence")
            return place
        key = self._read(index)
        number = index.operand if isinstance(index, ast.UnaryOp) else index
        if isinstance(number, ast.Constant) and isinstance(number.value, int):
            if place.solid() is None:
                place.say("sequence", 0.6)
            if place.solid() == "str":
                return Place(str=1.0)
            if number is index and number.value < 8 and (place.here.width or number.value in place.here.fields):
                return place.field(number.value)
            return place.item
        if isinstance(index, ast.Tuple):
            return Place()
        if place.solid() in ("str", "list", "tuple"):
            key.say("int")
            return Place(str=1.0) if place.solid() == "str" else place.item
        if key.solid() == "str":
            place.say("dict")
        elif key.solid() == "int" or key.here.kinds["int"] > 0:
            place.say("sequence", 0.7)
        else:
            place.say("indexed")
        if place.solid() == "dict":
            place.key.join(key)
        elif key.solid() is None and place.here._iterated is not None and place.iterated.here is key.here:
            place.say("dict", 1.5)
            place.key.join(key)
        elif key.solid() is None:
            key.say("int", 0.5)
        return place.item

    def _attribute(self, owner: Place, name: str) -> None:
        for names, kinds in _METHODS:
            if name in names:
                for kind, weight in kinds.items():
                    owner.say(kind, weight)
                return
        owner.say("object")

    # Calls

    def _call(self, node: ast.Call) -> Place:
        match node.func:
            case ast.Name(id=name):
                return self._function(name, node)
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module not in self.names:
                if module == "re" and name in _TEXTS:
                    for argument in node.args:
                        self._read(argument).say("str")
                    return Place()
                return self._function(name, node)
            case ast.Attribute(value=owner, attr=name):
                return self._method(self._read(owner), name, node)
        self._read(node.func)
        for argument in node.args:
            self._read(argument)
        return Place()

    def _function(self, name: str, node: ast.Call) -> Place:
        if name in ("isinstance", "issubclass") and len(node.args) == 2:
            self._is_instance(self._read(node.args[0]), node.args[1])
            return Place(bool=1.0)
        if name in ("map", "filter", "reduce") and len(node.args) >= 2:
            return self._mapped(name, node)
        arguments = [self._read(argument) for argument in node.args]
        for keyword in node.keywords:
            if keyword.arg == "key" and isinstance(keyword.value, ast.Lambda) and arguments:
                self._lambda(keyword.value.args, keyword.value.body, [self._iterate(arguments[0])])
            else:
                self._read(keyword.value)
        if name in self._functions:
            for place, parameter in zip(arguments, self._functions[name], strict=False):
                place.join(parameter)
            return Place()
        if name in self.places:
            self.places[name].say("callable", 2.0)
            return Place()
        if not arguments:
            return Place(**{name: 1.0}) if name in ("list", "dict", "set", "str", "int") else Place()
        first = arguments[0]
        if name in _INTEGERS:
            for place in arguments:
                place.say("int")
            if name == "range":
                made = Place(list=1.0)
                made.iterated.say("int")
                return made
            return Place(**{_RETURNS.get(name, "int"): 1.0})
        if name in _REALS:
            for place in arguments:
                place.say("real")
            return Place(number=1.0)
        if name == "len":
            if first.solid() is None:
                first.say("sized")
            return Place(int=1.0)
        if name == "ord":
            first.say("str", 1.5)
        elif name in ("int", "float"):
            first.say("str", 0.35).say("number", 0.35)
        elif name in ("abs", "round", "divmod", "pow"):
            for place in arguments:
                place.say("number")
            return first if name == "abs" else Place(int=0.5)
        elif name in ("min", "max"):
            if len(arguments) == 1:
                return self._iterate(first)
            for other in arguments[1:]:
                first.join(other)
            return first.say("ordered")
        elif name == "zip":
            made = Place(list=1.0)
            made.iterated.width = len(arguments)
            for position, place in enumerate(arguments):
                made.iterated.field(position).join(self._iterate(place))
            return made
        elif name == "dict":
            first.say("dict", 0.6).say("list", 0.2)
        elif name in _SORTED:
            first.say("list")
            if len(arguments) > 1:
                first.iterated.join(arguments[1])
            return Place(int=0.5)
        elif name == "callable":
            first.say("callable", 0.5)
        elif name in _ITERATES:
            element = self._iterate(first)
            if name in _SUMS:
                return element.say("number")
            if name == "enumerate":
                made = Place(list=1.0)
                made.iterated.width = 2
                made.iterated.field(0).say("int")
                made.iterated.field(1).join(element)
                return made
            if name == "next":
                return element
            made = Place(list=1.0) if name != "set" else Place(set=1.0)
            if name in _SAME:
                made.iterated.join(element)
            return made
        if name in _SAME:
            return first
        return Place(**{_RETURNS[name]: 1.0}) if name in _RETURNS else Place()

    def _is_instance(self, place: Place, classes: ast.expr) -> None:
        for one in classes.elts if isinstance(classes, ast.Tuple | ast.List | ast.Set) else [classes]:
            match one:
                case ast.Name(id=known) | ast.Attribute(attr=known):
                    kinds = _CLASSES.get(known, {})
                case ast.Call(func=ast.Name(id="type"), args=[ast.Constant(value=value)]):
                    kinds = {type(value).__name__: 1.0}
                case _:
                    kinds = {}
            for kind, weight in kinds.items():
                place.say(kind, 0.7 * weight)

    def _mapped(self, name: str, node: ast.Call) -> Place:
        elements = [self._iterate(self._read(argument)) for argument in node.args[1:]]
        function, result = node.args[0], Place()
        if isinstance(function, ast.Lambda):
            result = self._lambda(function.args, function.body, elements)
        elif isinstance(function, ast.Name):
            if function.id in self.places:
                self.places[function.id].say("callable", 0.5)
            elif function.id in ("int", "float"):
                elements[0].say("str", 0.5).say("number", 0.3)
            elif function.id == "ord":
                elements[0].say("str")
            elif function.id in ("list", "tuple", "set", "sorted", "sum", "len"):
                self._iterate(elements[0])
            result = Place(**{_RETURNS[function.id]: 1.0}) if function.id in _RETURNS else Place()
        made = Place(list=1.0)
        made.iterated.join(elements[0] if name == "filter" else result)
        return made

    def _method(self, owner: Place, name: str, node: ast.Call) -> Place:
        self._attribute(owner, name)
        arguments = [self._read(argument) for argument in node.args]
        for keyword in node.keywords:
            if keyword.arg == "key" and isinstance(keyword.value, ast.Lambda):
                self._lambda(keyword.value.args, keyword.value.body, [owner.iterated])
            else:
                self._read(keyword.value)
        first = arguments[0] if arguments else Place()
        if name == "join":
            self._iterate(first).say("str", 1.5)
            return Place(str=1.0)
        if name in ("append", "add", "appendleft", "discard", "remove", "count", "index") and owner.solid() != "str":
            owner.iterated.join(first)
            return Place(int=1.0)
        if name in ("insert",) and len(arguments) == 2:
            first.say("int")
            owner.iterated.join(arguments[1])
        if name in ("extend", "union", "intersection", "difference", "issubset", "issuperset", "update"):
            if owner.solid() not in ("dict", None):
                self._iterate(first).join(owner.iterated)
            return owner
        if name in ("get", "setdefault", "pop") and arguments and owner.solid() in ("dict", None):
            if name != "pop":
                owner.key.join(first)
            if len(arguments) > 1:
                owner.item.join(arguments[1])
            return owner.item
        if name == "pop":
            return owner.iterated
        if name in ("items", "keys", "values"):
            made = Place(list=1.0)
            if name == "items":
                made.iterated.width = 2
                made.iterated.field(0).join(owner.key)
                made.iterated.field(1).join(owner.item)
            else:
                made.iterated.join(owner.key if name == "keys" else owner.item)
            return made
        if name in ("split", "splitlines", "rsplit"):
            made = Place(list=1.0)
            made.iterated.say("str")
            if arguments and name != "splitlines":
                first.say("str")
            return made
        if name in _STR_METHODS:
            for place in arguments:
                if place.solid() is None:
                    place.say("int" if name in ("center", "ljust", "rjust", "zfill") else "str", 0.8)
            is_question = name.startswith(("is", "starts", "ends"))
            return Place(bool=1.0) if is_question else Place(int=1.0) if "find" in name else Place(str=1.0)
        return owner if name == "copy" else Place()


def _constant(value: object) -> Place:
    if value is ...:
        return Place()
    return Place(**{"None" if value is None else type(value).__name__: 1.0})


def kinds_with(attribute: str) -> list[str]:
    """Kinds of values that have a method or an attribute of this name."""
    return [kind for names, kinds in _METHODS if attribute in names for kind in kinds]


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
