package deployd.analysis;

import any.AbstractCharFilterFactory;
import any.AbstractIndexAnalyzerProvider;
import any.AbstractTokenFilterFactory;
import any.AbstractTokenizerFactory;
import any.AnalysisModule.AnalysisProvider;
import any.AnalyzerProvider;
import any.CharFilterFactory;
import any.NormalizingCharFilterFactory;
import any.NormalizingTokenFilterFactory;
import any.Settings;
import any.TokenFilterFactory;
import any.TokenizerFactory;
import java.io.Reader;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.Tokenizer;

/** Makes what an index asks for by name out of Lucene's own parts. */
public final class Factories {
    private Factories() {}

    public static AnalysisProvider<TokenFilterFactory> filter(Function<Settings, UnaryOperator<TokenStream>> make) {
        return (index, environment, name, settings) -> {
            UnaryOperator<TokenStream> apply = make.apply(settings);
            return new AbstractTokenFilterFactory(index, name, settings) {
                @Override
                public TokenStream create(TokenStream stream) {
                    return apply.apply(stream);
                }
            };
        };
    }

    /** A filter that may also stand in a normalizer, which changes a keyword as a whole. */
    public static AnalysisProvider<TokenFilterFactory> normalizing(Function<Settings, UnaryOperator<TokenStream>> make) {
        return (index, environment, name, settings) -> {
            UnaryOperator<TokenStream> apply = make.apply(settings);
            return new NormalizingFilter(index, name, settings, apply);
        };
    }

    public static AnalysisProvider<CharFilterFactory> characters(Function<Settings, UnaryOperator<Reader>> make) {
        return (index, environment, name, settings) -> {
            UnaryOperator<Reader> apply = make.apply(settings);
            return new NormalizingCharacters(index, name, apply);
        };
    }

    public static AnalysisProvider<TokenizerFactory> tokenizer(Function<Settings, Supplier<Tokenizer>> make) {
        return (index, environment, name, settings) -> {
            Supplier<Tokenizer> supplier = make.apply(settings);
            return new AbstractTokenizerFactory(index, settings, name) {
                @Override
                public Tokenizer create() {
                    return supplier.get();
                }
            };
        };
    }

    public static <T extends Analyzer> AnalysisProvider<AnalyzerProvider<? extends Analyzer>> analyzer(
        Function<Settings, T> make
    ) {
        return (index, environment, name, settings) -> {
            T made = make.apply(settings);
            return new AbstractIndexAnalyzerProvider<T>(index, name, settings) {
                @Override
                public T get() {
                    return made;
                }
            };
        };
    }

    private static final class NormalizingFilter extends AbstractTokenFilterFactory
        implements NormalizingTokenFilterFactory {
        private final UnaryOperator<TokenStream> apply;

        NormalizingFilter(any.IndexSettings index, String name, Settings settings, UnaryOperator<TokenStream> apply) {
            super(index, name, settings);
            this.apply = apply;
        }

        @Override
        public TokenStream create(TokenStream stream) {
            return apply.apply(stream);
        }
    }

    private static final class NormalizingCharacters extends AbstractCharFilterFactory
        implements NormalizingCharFilterFactory {
        private final UnaryOperator<Reader> apply;

        NormalizingCharacters(any.IndexSettings index, String name, UnaryOperator<Reader> apply) {
            super(index, name);
            this.apply = apply;
        }

        @Override
        public Reader create(Reader reader) {
            return apply.apply(reader);
        }
    }
}
