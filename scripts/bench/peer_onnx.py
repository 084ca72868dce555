"""onnxruntime as a contestant: scoring in float32, and in int8 by its own quantiser.

Asked by scripts/bench/turns.py. Inputs and outputs are bound once to memory that is there already (IO binding), the
quickest way that Python has. `noop` says what a call costs that computes nothing.

SPDX-License-Identifier: MIT
"""
import pathlib

import worker

FORMS = ("float32", "int8 dynamic", "int8 static")


class Onnx:
    def __init__(self):
        import numpy as np
        import onnxruntime

        self.np, self.ort = np, onnxruntime
        self.files, self.sessions, self.bound = {}, {}, {}
        onnxruntime.set_default_logger_severity(3)

    def facts(self):
        return {"onnxruntime": self.ort.__version__, "providers": self.ort.get_available_providers()}

    def prepare(self, form, onnx, calibration, folder):
        """Makes the model file of this form from the exported one. calibration: a dump, of which 256 rows are used."""
        if form in self.files:
            return
        path = pathlib.Path(folder) / f"{form.replace(' ', '-')}.onnx"
        if form != "float32":
            import onnxruntime.quantization as q

            ready = pathlib.Path(folder) / "preprocessed.onnx"
            q.shape_inference.quant_pre_process(onnx, str(ready))
            if form == "int8 dynamic":
                q.quantize_dynamic(str(ready), str(path), weight_type=q.QuantType.QInt8, per_channel=True)
            else:
                q.quantize_static(
                    str(ready),
                    str(path),
                    self.reader(calibration),
                    quant_format=q.QuantFormat.QDQ,
                    activation_type=q.QuantType.QUInt8,
                    weight_type=q.QuantType.QInt8,
                    per_channel=True,
                )
        self.files[form] = onnx if form == "float32" else str(path)

    def reader(self, dump):
        from onnxruntime.quantization import CalibrationDataReader

        class Reader(CalibrationDataReader):
            def __init__(self, rows):
                self.rest = iter(rows)

            def get_next(self):
                row = next(self.rest, None)
                return None if row is None else {"features": row[None]}

        return Reader(self.features(dump, 256))

    def features(self, path, rows):
        import h5py

        with h5py.File(path) as f:
            x = f["features"][:rows].astype(self.np.float32)
        return self.np.resize(x, (rows, x.shape[1]))  # a small dump serves large batches

    def session(self, form, threads):
        if (form, threads) not in self.sessions:
            options = self.ort.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            options.graph_optimization_level = self.ort.GraphOptimizationLevel.ORT_ENABLE_ALL
            self.sessions[form, threads] = self.ort.InferenceSession(
                self.files[form], options, providers=["CPUExecutionProvider"]
            )
        return self.sessions[form, threads]

    def bind(self, form, dump, rows, threads):
        key = form, dump, rows, threads
        if key not in self.bound:
            session, value = self.session(form, threads), self.ort.OrtValue.ortvalue_from_numpy
            binding, out = session.io_binding(), value(self.np.zeros(rows, self.np.float32))
            binding.bind_ortvalue_input("features", value(self.features(dump, rows)))
            binding.bind_ortvalue_output("logit", out)
            self.bound[key] = session, binding, out
        return self.bound[key]

    def logits(self, form, dump, rows, threads=1):
        session, binding, out = self.bind(form, dump, rows, threads)
        session.run_with_iobinding(binding)
        return out.numpy().tolist()

    def score(self, form, dump, rows, threads, seconds):
        """Seconds a call of `rows` rows."""
        session, binding, _ = self.bind(form, dump, rows, threads)
        return worker.timed(lambda: session.run_with_iobinding(binding), seconds)

    def noop(self, seconds):
        """Seconds of a call whose model copies one number: {"bound", "run"}, by IO binding and by session.run."""
        from onnx import TensorProto, helper

        one = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("features", "logit")]
        graph = helper.make_graph([helper.make_node("Identity", ["features"], ["logit"])], "noop", one[:1], one[1:])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        session = self.ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        value, zero = self.ort.OrtValue.ortvalue_from_numpy, self.np.zeros(1, self.np.float32)
        binding = session.io_binding()
        binding.bind_ortvalue_input("features", value(zero))
        binding.bind_ortvalue_output("logit", value(zero.copy()))
        return {
            "bound": worker.timed(lambda: session.run_with_iobinding(binding), seconds)["p50"],
            "run": worker.timed(lambda: session.run(["logit"], {"features": zero}), seconds)["p50"],
        }


if __name__ == "__main__":
    worker.serve(Onnx, ["h5py", "numpy", "onnxruntime"])
