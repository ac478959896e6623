"""A small vision transformer as torch exports it: sequences first around each attention, queries, keys and values cut
out of one product, heads folded into the batch, every extent computed from shapes while the model runs."""
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, HEADS, LAYERS, PATCH, IMAGE, CLASSES = 64, 4, 2, 16, 32, 10
TOKENS = (IMAGE // PATCH) ** 2 + 1
END = numpy.iinfo(numpy.int64).max


class Maker:
    def __init__(self):
        self.nodes, self.constants = [], []
        self.random = numpy.random.default_rng(1)

    def constant(self, values):
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def weight(self, *shape):
        return self.constant((self.random.standard_normal(shape) * 0.05).astype(numpy.float32))

    def ints(self, values):
        return self.constant(numpy.array(values, numpy.int64))

    def number(self, value):
        return self.constant(numpy.array(value, numpy.float32))

    def op(self, op, *inputs, output=None, **attributes):
        output = output or f"value_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=f"{op}_{len(self.nodes)}", **attributes))
        return output

    def extent(self, x, axis):
        return self.op("Gather", self.op("Shape", x), self.ints(axis), axis=0)

    def shape(self, *extents):
        return self.op("Concat", *[self.ints([extent]) if isinstance(extent, int) else
                                   self.op("Unsqueeze", extent, self.ints([0])) for extent in extents], axis=0)

    def norm(self, x):
        return self.op("LayerNormalization", x, self.weight(WIDTH), self.weight(WIDTH), axis=-1)

    def linear(self, x, wide_in, wide_out):
        return self.op("Add", self.weight(wide_out), self.op("MatMul", x, self.weight(wide_in, wide_out)))

    def attention(self, x):
        x = self.op("Transpose", x, perm=[1, 0, 2])
        length, batch, width = (self.extent(x, axis) for axis in range(3))
        head = self.op("Div", width, self.ints(HEADS))
        joined = self.linear(x, WIDTH, 3 * WIDTH)
        leading = self.op("Slice", self.op("Shape", joined), self.ints([0]), self.ints([2]), self.ints([0]))
        three = self.op("Concat", leading, self.ints([3]), self.op("Unsqueeze", width, self.ints([0])), axis=0)
        joined = self.op("Unsqueeze", self.op("Reshape", joined, three), self.ints([0]))
        joined = self.op("Squeeze", self.op("Transpose", joined, perm=[3, 1, 2, 0, 4]), self.ints([-2]))
        folded = self.op("Mul", batch, self.ints(HEADS))

        def part(index):
            row = self.op("Reshape", self.op("Gather", joined, self.ints(index), axis=0),
                          self.shape(length, folded, head))
            return self.op("Reshape", self.op("Transpose", row, perm=[1, 0, 2]),
                           self.shape(batch, HEADS, length, head))

        query, key, value = (part(index) for index in range(3))
        last = self.op("Slice", self.op("Shape", query), self.ints([-1]), self.ints([END]))
        scale = self.op("Div", self.number([1]), self.op("Sqrt", self.op("Cast", last, to=TensorProto.FLOAT)))
        scores = self.op("MatMul", self.op("Mul", query, self.op("Sqrt", scale)),
                         self.op("Mul", self.op("Transpose", key, perm=[0, 1, 3, 2]), self.op("Sqrt", scale)))
        y = self.op("MatMul", self.op("Softmax", scores, axis=-1), value)
        y = self.op("Reshape", self.op("Transpose", y, perm=[2, 0, 1, 3]),
                    self.shape(self.op("Mul", length, batch), width))
        y = self.op("Gemm", y, self.weight(WIDTH, WIDTH), self.weight(WIDTH), transB=1)
        y = self.op("Reshape", y, self.shape(length, batch, self.extent(y, 1)))
        return self.op("Transpose", y, perm=[1, 0, 2])

    def layer(self, x):
        x = self.op("Add", self.attention(self.norm(x)), x)
        y = self.linear(self.norm(x), WIDTH, 4 * WIDTH)
        gate = self.op("Add", self.op("Erf", self.op("Div", y, self.number(2 ** 0.5))), self.number(1))
        y = self.op("Mul", self.op("Mul", y, gate), self.number(0.5))
        return self.op("Add", x, self.linear(y, 4 * WIDTH, WIDTH))


def vision_transformer():
    m = Maker()
    batch = m.extent("input", 0)
    x = m.op("Conv", "input", m.weight(WIDTH, 3, PATCH, PATCH), m.weight(WIDTH), kernel_shape=[PATCH, PATCH],
             strides=[PATCH, PATCH])
    x = m.op("Transpose", m.op("Reshape", x, m.shape(batch, WIDTH, TOKENS - 1)), perm=[0, 2, 1])
    first = m.op("Expand", m.weight(1, 1, WIDTH), m.shape(batch, 1, WIDTH))
    x = m.op("Add", m.op("Concat", first, x, axis=1), m.weight(1, TOKENS, WIDTH))
    for _ in range(LAYERS):
        x = m.layer(x)
    row = m.op("Gather", m.norm(x), m.ints(0), axis=1)
    m.op("Gemm", row, m.weight(CLASSES, WIDTH), m.weight(CLASSES), transB=1, output="output")
    graph = helper.make_graph(
        m.nodes, "vision transformer",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, IMAGE, IMAGE])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", CLASSES])], m.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model
